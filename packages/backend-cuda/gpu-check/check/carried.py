"""
The part of stage 2 that needs Node: `.carry/` with a Node (node.tar.xz, or an unpacked node/bin/node), and conformance.mjs, one file that
scripts/carry.mjs makes of the packages. Without it the part says that it is absent.
"""
import json
import os
import shutil
import tarfile

from . import command
from .parts import Part, absent, failed
from .places import CARRY, LIBRARIES

BUNDLE = CARRY / "conformance.mjs"
ARCHIVE = CARRY / "node.tar.xz"


def node_parts(world, libraries):
    if not BUNDLE.exists():
        return [Part("node", [], lambda _: absent("no .carry/conformance.mjs: docs/gpu-check.md says how it is made"))]
    inputs = [BUNDLE, *sorted(CARRY.rglob("*.node")), world.device_text]
    each = [
        Part(f"node {library.stem}", [library, *inputs], lambda limit, library=library: judged(world, ["--library", library], limit))
        for library in libraries
    ]
    return each if world.is_dry else [*each, chosen_part(world, inputs)]


def chosen_part(world, inputs):
    """Drivers, GPUs and libraries as the provider finds them by itself, its choice, and its trial of it in a process of its own."""
    environment = {**os.environ, "HALFBYTE_LIBRARY_PATH": str(LIBRARIES)}
    given = sorted(LIBRARIES.glob("*.so"))
    return Part("node provider", [*given, *inputs], lambda limit: judged(world, [], limit, env=environment))


def judged(world, options, limit, **environment):
    node = find_node(world)
    if not node:
        return absent("no Node: neither .carry/node.tar.xz nor node on PATH")
    report = world.work / "node.json"
    report.unlink(missing_ok=True)
    outcome = command.run([node, BUNDLE, *options, "--json", report], limit, **environment)
    if outcome.code is None:
        return {"outcome": "timed out"}
    if not report.exists():
        return failed(f"exit code {outcome.code}", command.last_lines(outcome.said))
    counts = json.loads(report.read_text())
    return {"outcome": "passed" if outcome.code == 0 and counts["passed"] > 0 else "failed", "code": outcome.code, **counts}


def find_node(world):
    """Carried, unpacked once; else the machine's own."""
    unpacked = world.work / "node"
    if ARCHIVE.exists() and not unpacked.exists():
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(unpacked, filter="data")
    carried = [path for folder in (unpacked, CARRY / "node") for path in folder.glob("**/bin/node")]
    return next(iter(carried), shutil.which("node"))
