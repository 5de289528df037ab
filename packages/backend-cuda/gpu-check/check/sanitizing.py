"""Stage 3: compute-sanitizer over a short set. On the emulated device, which needs none, the short set alone."""
import re

from . import machine
from .judging import golden_files, harness_files, judged, libraries
from .parts import Part, absent

# What each tool says at its end.
SUMMARIES = {"memcheck": r"ERROR SUMMARY: (\d+) error", "racecheck": r"RACECHECK SUMMARY: (\d+) hazard"}

# Under some virtual machines, and with drivers of another generation.
REFUSAL = r"(?i)device not supported|unable to find injection library|incompatible driver[^\n]*"


def parts(world):
    found = libraries(world)[:1]
    return [tool_part(world, tool, found) for tool in SUMMARIES]


def tool_part(world, tool, found):
    inputs = [*found, *harness_files(), *golden_files(), world.device_text, tool]
    return Part(tool, inputs, lambda limit: sanitized(world, tool, found, limit))


def sanitized(world, tool, found, limit):
    if not found:
        return absent("no library was built or given")
    if world.is_dry:
        return {**judged(world, found[0], limit, short=True), "tool": "none: the emulated device"}
    program = machine.find_sanitizer()
    if not program:
        return absent("no compute-sanitizer in a toolkit, on PATH or in .carry/compute-sanitizer")
    log = world.work / f"{tool}.log"
    log.unlink(missing_ok=True)
    before = [program, "--tool", tool, "--target-processes", "all", "--error-exitcode", "77", "--log-file", log]
    return told(judged(world, found[0], limit, before, short=True), tool, log)


def told(result, tool, log):
    """The harness's counts with the tool's. A tool that does not know the device or its driver has checked nothing."""
    text = log.read_text(errors="replace") if log.exists() else ""
    counted = re.search(SUMMARIES[tool], text)
    if result["outcome"] == "timed out":
        return result
    if refusal := re.search(REFUSAL, text):
        return absent(f"compute-sanitizer does not work on this machine: {refusal.group(0)}")
    errors = int(counted.group(1)) if counted else None
    outcome = result["outcome"] if errors == 0 else "failed"
    return {**result, "outcome": outcome, "tool": tool, "errors": errors, "log": [] if errors == 0 else text.splitlines()[:40]}
