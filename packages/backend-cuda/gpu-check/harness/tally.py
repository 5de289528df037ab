"""Counts by operation, and the first failures in full."""

OUTCOMES = ("passed", "failed", "unsupported")
SHOWN = 20


class Tally:
    def __init__(self):
        self.operations, self.failures = {}, []

    def add(self, op, name, outcome, failure):
        counts = self.operations.setdefault(op, dict.fromkeys(OUTCOMES, 0))
        counts[outcome] += 1
        if outcome == "failed" and len(self.failures) < SHOWN:
            self.failures.append({"case": name, **failure})

    def total(self, outcome):
        return sum(counts[outcome] for counts in self.operations.values())

    def summary(self):
        totals = {outcome: self.total(outcome) for outcome in OUTCOMES}
        return {**totals, "operations": self.operations, "failures": self.failures}

    def lines(self):
        for op, counts in self.operations.items():
            yield f"  {op:28}" + "  ".join(f"{counts[outcome]:4} {outcome}" for outcome in OUTCOMES if counts[outcome])
        for failure in self.failures:
            yield "  failed: " + "; ".join(f"{name} {value}" for name, value in failure.items())
