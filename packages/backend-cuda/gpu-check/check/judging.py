"""Stage 2: the golden vectors and larger shapes on every library, through the C interface; and with Node, where it is carried, everything of JavaScript."""
import hashlib
import json
import os
import sys

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
    """`before`: a program that runs Python, a sanitizer for one."""
    report = world.work / f"{library.stem}.report.json"
    report.unlink(missing_ok=True)
    options = ["--json", report, *(["--short"] if short else [])]
    outcome = command.run([*before, sys.executable, HERE / "conformance.py", "--library", library, *options], limit, **environment)
    if outcome.code is None:
        return {"outcome": "timed out"}
    if not report.exists():
        return failed(f"exit code {outcome.code}", command.last_lines(outcome.said))
    counts = json.loads(report.read_text())
    is_good = outcome.code == 0 and counts["passed"] > 0
    return {"outcome": "passed" if is_good else "failed", "sha256": sha256(library), "code": outcome.code, **counts}


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
