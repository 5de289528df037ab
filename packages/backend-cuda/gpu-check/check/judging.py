"""Stage 2: the golden vectors and larger shapes on every library, through the C interface; and with Node, where it is carried, everything of JavaScript."""
import hashlib
import json
import sys

from . import command
from .carried import node_parts
from .parts import Part, absent, failed
from .places import GOLDEN, HERE, INCLUDE, LIBRARIES


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
    return own + node_parts(world, found)


def judged_part(world, library):
    inputs = [library, *harness_files(), *golden_files(), world.device_text]
    return Part(library.stem, inputs, lambda limit: judged(world, library, limit))


def judged(world, library, limit, before=(), short=False):
    """`before`: a program that runs Python, a sanitizer for one."""
    report = world.work / f"{library.stem}.report.json"
    report.unlink(missing_ok=True)
    options = ["--json", report, *(["--short"] if short else [])]
    outcome = command.run([*before, sys.executable, HERE / "conformance.py", "--library", library, *options], limit)
    if outcome.code is None:
        return {"outcome": "timed out"}
    if not report.exists():
        return failed(f"exit code {outcome.code}", command.last_lines(outcome.said))
    counts = json.loads(report.read_text())
    is_good = outcome.code == 0 and counts["passed"] > 0
    return {"outcome": "passed" if is_good else "failed", "sha256": sha256(library), "code": outcome.code, **counts}


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
