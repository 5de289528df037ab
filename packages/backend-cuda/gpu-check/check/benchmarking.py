"""Stage 4: the benchmark of the library, and PyTorch beside it."""
import json
import sys
import time

from . import command
from .build import BENCH
from .parts import Part, absent, failed
from .places import HERE

PEERS = HERE / "torch_peers.py"


def parts(world):
    bench = world.work / BENCH
    program = Part("library", [bench, world.device_text] if bench.exists() else [], lambda limit: measured(world, bench, limit))
    return [program, Part("torch", [PEERS, world.device_text], lambda limit: peers(world, limit))]


# Each in a process of its own, so that a kernel that fails takes no other's figures along. The longest comes last and gets what is left.
SUITES = ("floors", "codes", "int8", "optimizers", "products")
# Of one suite, in seconds: several times what it takes.
LONGEST = 150


def measured(world, bench, limit):
    if not bench.exists():
        return absent("the benchmark was not built")
    deadline, results = time.monotonic() + limit, {}
    for suite in SUITES:
        left = deadline - time.monotonic()
        given = [bench, "--suite", suite, *(["--tiny"] if world.is_dry else [])]
        results[suite] = rows_of(command.run(given, left if suite == SUITES[-1] else min(left, LONGEST)))
    return together(results)


def together(results):
    """All rows; the outcome of the worst suite, by name."""
    rows = [row for result in results.values() for row in result["rows"]]
    bad = {suite: result for suite, result in results.items() if result["outcome"] != "passed"}
    said = [f"{suite}: {line}" for suite, result in bad.items() for line in result.get("said", [result["outcome"]])]
    device = next((result["device"] for result in results.values() if result["device"]), None)
    if not bad:
        return {"outcome": "passed", "device": device, "rows": rows}
    return {**failed(", ".join(bad), said), "device": device, "rows": rows}


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
