"""
python3 flipped_bits.py LIBRARY: gives the harness every result of the library with one bit changed, one result of one case at a time, and
prints as JSON which changes it did not see. Bits of integers are worth more than the one step that codes of optimizer states may differ by; of
floats, one of the exponent.
"""
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "gpu-check"))

from harness import judge  # noqa: E402
from harness.case import Tables, cases  # noqa: E402
from harness.library import Library  # noqa: E402

GOLDEN = HERE.parents[3] / "golden"


class Lying(Library):
    """Read number `wrong` of a case comes with a flipped bit."""

    reads, wrong = 0, None

    def read(self, output, begin=0):
        found = super().read(output, begin)
        self.reads += 1
        return found if self.reads - 1 != self.wrong or not found.data.size else found._replace(data=with_flipped_bit(found))


def with_flipped_bit(found):
    changed = found.data.copy()
    bits = changed.view(f"u{changed.itemsize}")
    bits[bits.size // 2] ^= 4 if "int" in found.dtype else 1 << (8 * changed.itemsize - 2)
    return changed


def outcome(library, tables, case, wrong):
    library.reads, library.wrong = 0, wrong
    return judge.outcome_of(case, library, tables)[0]


def unseen(library, tables, case):
    """How many results there are, and those that may be wrong without a failure."""
    if outcome(library, tables, case, None) != "passed":
        return 0, []
    reads = library.reads
    return reads, [read for read in range(reads) if outcome(library, tables, case, read) != "failed"]


def main():
    library, tables = Lying(sys.argv[1]), Tables(GOLDEN)
    judged = [case for case in cases(GOLDEN) if case.op not in judge.OF_THE_HOST]
    found = {f"{case.name} {case.op}": unseen(library, tables, case) for case in judged}
    missed = {name: reads for name, (_, reads) in found.items() if reads}
    print(json.dumps({"cases": len(judged), "results": sum(reads for reads, _ in found.values()), "unseen": missed}))
    library.close()


main()
