"""
Cases that the vectors are too small for: every way a product is cut into tiles, values on and beside every threshold, and tensors of more
than 2³¹ elements. Inputs come from a seeded generator; expectations are the rules in numpy and float64 products of sampled columns.
"""
from . import code_shapes, huge_shapes, product_shapes
from .library import Failed, Unsupported

SUITES = (code_shapes.cases, product_shapes.cases, huge_shapes.cases)


class Scale:
    """How large: an emulated device and a sanitizer are thousands of times slower than a GPU."""

    def __init__(self, library, is_short):
        self.is_emulated = bool(library.info.get("emulated"))
        self.is_small = self.is_emulated or is_short
        self.is_gpu = library.info["backend"] == "cuda" and not self.is_emulated


def outcomes(library, tables, is_short):
    """(operation, name, outcome, failure) of every case."""
    for suite in SUITES:
        for op, name, run in suite(library, tables, Scale(library, is_short)):
            yield op, f"shapes:{name}", *outcome_of(library, run)


def outcome_of(library, run):
    try:
        failure = next((difference for difference in run() if difference), None)
    except Unsupported as missing:
        return "unsupported", {"found": f"no kernel for {missing}"}
    except Failed as error:
        return "failed", {"found": str(error)}
    finally:
        library.release()
    return ("failed", failure) if failure else ("passed", None)
