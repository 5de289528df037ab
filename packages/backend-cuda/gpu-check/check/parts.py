"""
A stage is a few parts; each leaves its result in <results>/<stage>.json as soon as it is done. A part whose inputs are unchanged and that
did not fail is not run again. A stage ends within its budget: parts that it has no time for wait for the next call.
"""
import hashlib
import json
import time
from typing import Callable, NamedTuple

# Under 8 minutes for a call of a stage, everything included.
BUDGET = 460
# What the shortest useful attempt takes.
WORTHWHILE = 30

GOOD = ("passed", "absent")


class Part(NamedTuple):
    name: str
    inputs: list  # files whose content, and texts, that the result depends on
    run: Callable  # of the seconds it may take; gives the result, "outcome" among it
    made: tuple = ()  # files that it leaves and later stages need


def digest(inputs):
    total = hashlib.sha256()
    for one in inputs:
        total.update(one.encode() if isinstance(one, str) else one.name.encode() + b"\0" + one.read_bytes())
    return total.hexdigest()


class Stage:
    def __init__(self, name, results, is_forced):
        self.name, self.file, self.is_forced = name, results / f"{name}.json", is_forced
        self.done = json.loads(self.file.read_text())["parts"] if self.file.exists() else {}

    def run(self, parts):
        """Whether everything is done and nothing failed."""
        started = time.monotonic()
        for part in parts:
            self.done[part.name] = self.outcome_of(part, BUDGET - (time.monotonic() - started))
            self.save()
            print(f"{self.name}: {part.name}: {line_of(self.done[part.name])}", flush=True)
        return all(self.done[part.name]["outcome"] in GOOD for part in parts)

    def outcome_of(self, part, left):
        inputs, known = digest(part.inputs), self.done.get(part.name)
        is_known = known and known["inputs"] == inputs and known["outcome"] == "passed"
        if is_known and all(file.exists() for file in part.made) and not self.is_forced:
            return {**known, "kept": True}
        if left < WORTHWHILE:
            return {"inputs": inputs, "outcome": "waiting"}
        begun = time.monotonic()
        result = part.run(left)
        if result["outcome"] == "timed out" and left < BUDGET - WORTHWHILE:
            result["outcome"] = "waiting"
        return {"inputs": inputs, **result, "seconds": round(time.monotonic() - begun, 1)}

    def save(self):
        self.file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps({"stage": self.name, "parts": self.done}, indent=1))
        fresh.replace(self.file)


def line_of(result):
    counts = ", ".join(f"{result[name]} {name}" for name in ("passed", "failed", "unsupported", "errors") if name in result)
    said = [result["outcome"], counts, result.get("reason", ""), "unchanged" if result.get("kept") else ""]
    return "; ".join(one for one in said if one)


def absent(reason):
    return {"outcome": "absent", "reason": reason}


def failed(reason, lines=()):
    return {"outcome": "failed", "reason": reason, "said": list(lines)}
