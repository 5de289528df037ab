#!/usr/bin/env python3
"""
Judges a library of halfbyte.h by the golden vectors and by larger random shapes, through its C interface: Python with numpy, no Node.

    python3 conformance.py --library packages/backend-cuda/build/libhalfbyte_cuda130.so [--golden golden] [--short] [--json FILE]

Exit code 0: no case failed; 1: one did; 2: it could not run. A case whose operation has no kernel is counted as unsupported.
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
        from harness.case import Tables, cases
        from harness.library import Library
    except ImportError as error:
        return complain(f"numpy is missing ({error})")
    try:
        library = Library(wish.library, wish.device)
    except Exception as error:  # Whatever keeps it from opening is the result.
        return complain(f"{wish.library} does not open: {error}")
    started, tables = time.monotonic(), Tables(wish.golden)
    tally = judged(library, tables, chosen(cases(wish.golden), wish.short), wish.short)
    report(wish, library, tally, time.monotonic() - started)
    library.close()
    return 1 if tally.total("failed") else 0


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", required=True)
    parser.add_argument("--golden", default=str(GOLDEN))
    parser.add_argument("--device", type=int, default=0)
    parser.add_argument("--short", action="store_true", help="one case of each kind: for sanitizers")
    parser.add_argument("--json", help="write the counts there")
    return parser.parse_args()


def complain(message):
    print(message, file=sys.stderr)
    return 2


def judged(library, tables, wanted, is_short):
    from harness import judge, shapes
    from harness.tally import Tally

    tally = Tally()
    for case in wanted:
        tally.add(case.op, case.name, *judge.outcome_of(case, library, tables))
    for op, name, outcome, failure in shapes.outcomes(library, tables, is_short):
        tally.add(op, name, outcome, failure)
    return tally


def chosen(all_cases, is_short):
    """Without what the host makes; short: the first of each operation, dtype and kind of table."""
    from harness.judge import OF_THE_HOST

    seen = set()
    for case in all_cases:
        kind = (case.op, *(case.params.get(name) for name in ("dtype", "x_dtype", "out_dtype", "quant_type", "threshold")))
        if case.op in OF_THE_HOST or (is_short and kind in seen):
            continue
        seen.add(kind)
        yield case


def report(wish, library, tally, seconds):
    counts = {"library": Path(wish.library).name, "build": library.info, "seconds": round(seconds, 1), **tally.summary()}
    print(f"{counts['library']}: {counts['passed']} passed, {counts['failed']} failed, {counts['unsupported']} unsupported; {seconds:.1f} s")
    print("\n".join(tally.lines()))
    if wish.json:
        Path(wish.json).write_text(json.dumps(counts, indent=1))


if __name__ == "__main__":
    sys.exit(main())
