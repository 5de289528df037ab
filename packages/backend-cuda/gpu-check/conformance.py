#!/usr/bin/env python3
"""
Judges a library of halfbyte.h by the golden vectors and by larger random shapes, through its C interface: Python with numpy, no Node.

    python3 conformance.py --library packages/backend-cuda/build/libhalfbyte_cuda130.so [--golden golden] [--short] [--json FILE]

Exit code 0: no case failed; 1: one did; 2: it could not run; 3: the device was lost or hung, and the report says from which case to go on
(--begin). A case whose operation has no kernel is counted as unsupported.
"""
import argparse
import json
import sys
import time
from pathlib import Path

GOLDEN = Path(__file__).resolve().parents[3] / "golden"


def main():
    wish = options()
    try:
        from harness.library import Library
    except ImportError as error:
        return complain(f"numpy is missing ({error})")
    try:
        library = Library(wish.library, wish.device)
    except Exception as error:  # Whatever keeps it from opening is the result.
        return complain(f"{wish.library} does not open: {error}")
    run = Run(wish, library)
    is_lost = run.judge()
    run.report()
    if is_lost:
        return 3
    library.close()
    return 1 if run.tally.total("failed") else 0


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", required=True)
    parser.add_argument("--golden", default=str(GOLDEN))
    parser.add_argument("--device", type=int, default=0)
    parser.add_argument("--short", action="store_true", help="one case of each kind: for sanitizers")
    parser.add_argument("--begin", type=int, default=0, help="the number of the first case")
    parser.add_argument("--patience", type=float, default=120, help="seconds after which a case hangs")
    parser.add_argument("--json", help="write the counts there")
    return parser.parse_args()


def complain(message):
    print(message, file=sys.stderr)
    return 2


class Run:
    def __init__(self, wish, library):
        from harness.tally import Tally

        self.wish, self.library, self.tally = wish, library, Tally()
        self.started, self.next = time.monotonic(), None

    def judge(self):
        """Whether the device was lost on the way."""
        from harness.case import Tables
        from harness.jobs import jobs

        every = jobs(self.library, Tables(self.wish.golden), self.wish.golden, self.wish.short)
        return any(self.loses(number, job) for number, job in enumerate(every) if number >= self.wish.begin)

    def loses(self, number, job):
        from harness.watchdog import Watchdog

        with Watchdog(self.wish.patience, lambda: self.hung(number, job)):
            outcome, failure = job.run()
            is_lost = outcome == "failed" and not self.library.is_alive()
        self.tally.add(job.op, job.name, outcome, failure)
        if is_lost:
            self.next = number + 1
        return is_lost

    def hung(self, number, job):
        self.tally.add(job.op, job.name, "failed", {"found": f"nothing within {self.wish.patience:.0f} seconds"})
        self.next = number + 1
        self.report()

    def report(self):
        seconds = time.monotonic() - self.started
        name, counts = Path(self.wish.library).name, self.tally.summary()
        print(f"{name}: {counts['passed']} passed, {counts['failed']} failed, {counts['unsupported']} unsupported; {seconds:.1f} s")
        print("\n".join(self.tally.lines()), flush=True)
        if self.wish.json:
            text = json.dumps({"library": name, "build": self.library.info, "next": self.next, "seconds": round(seconds, 1), **counts}, indent=1)
            Path(self.wish.json).write_text(text)


if __name__ == "__main__":
    sys.exit(main())
