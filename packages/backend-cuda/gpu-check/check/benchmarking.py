"""Stage 4: the benchmark of the library, and PyTorch beside it."""
import json
import sys

from . import command
from .build import BENCH
from .parts import Part, absent, failed
from .places import HERE

PEERS = HERE / "torch_peers.py"


def parts(world):
    bench = world.work / BENCH
    program = Part("library", [bench, world.device_text] if bench.exists() else [], lambda limit: measured(world, bench, limit))
    return [program, Part("torch", [PEERS, world.device_text], lambda limit: peers(world, limit))]


def measured(world, bench, limit):
    if not bench.exists():
        return absent("the benchmark was not built")
    return rows_of(command.run([bench, *(["--tiny"] if world.is_dry else [])], limit))


def peers(world, limit):
    outcome = command.run([sys.executable, PEERS, *(["--tiny"] if world.is_dry else [])], limit)
    # It says so itself when there is no PyTorch or no GPU for it.
    return absent(outcome.err.strip()) if outcome.code == 3 else rows_of(outcome)


def rows_of(outcome):
    """Lines of JSON, the first about the device. What was measured before a failure is kept."""
    lines = [json.loads(line) for line in outcome.out.splitlines() if line.startswith("{") and line.endswith("}")]
    measured_rows = {"device": lines[0] if lines else None, "rows": lines[1:]}
    if outcome.code is None:
        return {"outcome": "timed out", **measured_rows}
    if outcome.code != 0 or len(lines) < 2:
        return {**failed(f"exit code {outcome.code}", command.last_lines(outcome.err)), **measured_rows}
    return {"outcome": "passed", **measured_rows}
