"""Stage 1: the library and the benchmark from the sources, for this GPU's architecture only."""
import os
import time
from concurrent.futures import ThreadPoolExecutor

from . import command, compilers
from .parts import Part, absent, failed

BENCH = "bench"


def parts(world):
    compiler = world.compiler
    if not compiler:
        missing = "a C++ compiler" if world.is_dry else "nvcc and a GPU"
        return [Part("library", [], lambda _: absent(f"{missing} to build for"))]
    inputs = [*compiler.sources, *compilers.bench_sources(), *compilers.headers(), compiler.facts, " ".join(map(str, compiler.compile))]
    made = (world.work / compiler.library, world.work / BENCH)
    return [Part("library", inputs, lambda limit: built(world, limit), made)]


def built(world, limit):
    compiler, deadline = world.compiler, time.monotonic() + limit
    objects = world.work / "objects"
    objects.mkdir(parents=True, exist_ok=True)
    facts = objects / "facts.h"
    facts.write_text(compiler.facts)
    wanted = {source: objects / f"{source.parent.name}_{source.name}.o" for source in [*compiler.sources, *compilers.bench_sources()]}
    commands = [compilers.compile_command(compiler, source, facts, target) for source, target in wanted.items()]
    of_library = [wanted[source] for source in compiler.sources]
    links = [
        [compiler.program, *compiler.share, "-o", world.work / compiler.library, *of_library],
        [compiler.program, *compiler.link, "-o", world.work / BENCH, *wanted.values()],
    ]
    return in_turn([commands, links], deadline) or {"outcome": "passed", "library": compiler.library, "bytes": (world.work / compiler.library).stat().st_size}


def in_turn(batches, deadline):
    """Every batch at once, one batch after the other; the first failure, or none."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for batch in batches:
            for one, outcome in zip(batch, pool.map(lambda one: command.run(one, deadline - time.monotonic()), batch)):
                if outcome.code is None:
                    return {"outcome": "timed out"}
                if outcome.code != 0:
                    return failed(f"{os.path.basename(one[0])} failed", command.last_lines(outcome.said))
    return None
