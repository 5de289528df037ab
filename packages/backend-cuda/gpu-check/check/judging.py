"""Stage 2: the golden vectors and larger shapes on every library, through the C interface; and with Node, where it is carried, everything of JavaScript."""
import hashlib
import json
import os
import sys
import time

from . import command
from .carried import node_parts
from .parts import Part, absent, failed
from .places import GOLDEN, HERE, INCLUDE, LIBRARIES

# Generations with kernels of their own, beside that of the emulated device.
OLDER = ("5.0", "6.1", "7.5", "8.0")


def libraries(world):
    """The one that was built here first, then those of the package."""
    own = world.work / world.compiler.library if world.compiler else None
    given = [] if world.is_dry else sorted(LIBRARIES.glob("libhalfbyte_cuda*.so"))
    return [path for path in [own, *given] if path and path.exists()]


def harness_files():
    return [HERE / "conformance.py", *sorted((HERE / "harness").glob("*.py")), INCLUDE / "halfbyte.h"]


def golden_files():
    return sorted(GOLDEN.rglob("*.safetensors")) + sorted(GOLDEN.rglob("*.json"))


def parts(world):
    found = libraries(world)
    if not found:
        return [Part("libraries", [], lambda _: absent("no library was built or given"))]
    own = [judged_part(world, library) for library in found]
    older = [older_part(world, found[0], capability) for capability in OLDER] if world.is_dry else []
    return own + older + node_parts(world, found)


def judged_part(world, library):
    inputs = [library, *harness_files(), *golden_files(), world.device_text]
    return Part(library.stem, inputs, lambda limit: judged(world, library, limit))


def older_part(world, library, capability):
    """The emulated device says that it is of this generation, so that the kernels of that generation run."""
    inputs = [library, *harness_files(), *golden_files(), capability]
    environment = {**os.environ, "HALFBYTE_EMULATED_CAPABILITY": capability}
    return Part(f"capability {capability}", inputs, lambda limit: judged(world, library, limit, env=environment))


def judged(world, library, limit, before=(), short=False, **environment):
    """`before`: a program that runs Python, a sanitizer for one. A device that a kernel killed is opened again, after that case."""
    deadline, pieces = time.monotonic() + limit, []
    while len(pieces) < MOST_PIECES:
        begin = pieces[-1]["next"] if pieces else 0
        given = [*before, sys.executable, HERE / "conformance.py", "--library", library, "--begin", begin, *(["--short"] if short else [])]
        piece = judged_piece(world, given, deadline - time.monotonic(), environment)
        if "outcome" in piece:
            return {**summed(pieces), **piece} if pieces else piece
        pieces.append(piece)
        if piece["next"] is None:
            break
    return {"sha256": sha256(library), **summed(pieces)}


# Of one run: after as many broken kernels there is enough to look at.
MOST_PIECES = 12


def judged_piece(world, given, limit, environment):
    """The counts of one process; an outcome when there are none."""
    report = world.work / "report.json"
    report.unlink(missing_ok=True)
    outcome = command.run([*given, "--json", report], limit, **environment)
    if outcome.code is None:
        return {"outcome": "timed out"}
    if not report.exists():
        return failed(f"exit code {outcome.code}", command.last_lines(outcome.said))
    return {**json.loads(report.read_text()), "code": outcome.code}


def summed(pieces):
    """One set of counts; that the device had to be opened again is said."""
    total = {**pieces[-1], "outcome": "passed"}
    for name in ("passed", "failed", "unsupported"):
        total[name] = sum(piece[name] for piece in pieces)
    total["seconds"] = round(sum(piece["seconds"] for piece in pieces), 1)
    total["operations"] = merged_counts([piece["operations"] for piece in pieces])
    total["failures"] = [failure for piece in pieces for failure in piece["failures"]]
    total["lost"] = sum(piece["next"] is not None for piece in pieces)
    if total["failed"] or total["lost"] or total["code"] or not total["passed"]:
        total["outcome"] = "failed"
    return total


def merged_counts(parts):
    total = {}
    for operations in parts:
        for op, counts in operations.items():
            known = total.setdefault(op, dict.fromkeys(counts, 0))
            total[op] = {name: known[name] + count for name, count in counts.items()}
    return total


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
