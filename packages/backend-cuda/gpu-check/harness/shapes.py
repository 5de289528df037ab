"""
Cases that the vectors are too small for: every way a product is cut into tiles, values on and beside every threshold, and tensors of more
than 2³¹ elements. Inputs come from a seeded generator; expectations are the rules in numpy and float64 products of sampled columns.
"""
from . import code_shapes, huge_shapes, product_shapes

SUITES = (code_shapes.cases, product_shapes.cases, huge_shapes.cases)


class Scale:
    """How large: an emulated device and a sanitizer are thousands of times slower than a GPU."""

    def __init__(self, library, is_short):
        self.is_emulated = bool(library.info.get("emulated"))
        self.is_small = self.is_emulated or is_short
        self.is_gpu = library.info["backend"] == "cuda" and not self.is_emulated


def cases(library, tables, is_short):
    """(operation, name, a generator of differences) of every case."""
    for suite in SUITES:
        for op, name, run in suite(library, tables, Scale(library, is_short)):
            yield op, f"shapes:{name}", run


def first_difference(run):
    return next((difference for difference in run() if difference), None)
