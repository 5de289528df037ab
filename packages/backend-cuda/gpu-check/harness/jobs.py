"""Everything that a library is judged by, in a fixed order: a run that a broken kernel ended goes on after it in a process of its own."""
from typing import Callable, NamedTuple

from . import judge, shapes
from .case import cases


class Job(NamedTuple):
    op: str
    name: str
    run: Callable  # gives an outcome and what was found


def jobs(library, tables, golden, is_short):
    for case in chosen(cases(golden), is_short):
        yield Job(case.op, case.name, lambda case=case: judge.outcome_of(case, library, tables))
    for op, name, run in shapes.cases(library, tables, is_short):
        yield Job(op, name, lambda run=run: judge.settled(library, lambda: shapes.first_difference(run)))


def chosen(all_cases, is_short):
    """Without what the host makes; short: the first of each operation, dtype and kind of table."""
    seen = set()
    for case in all_cases:
        kind = (case.op, *(case.params.get(name) for name in ("dtype", "x_dtype", "out_dtype", "quant_type", "threshold")))
        if case.op in judge.OF_THE_HOST or (is_short and kind in seen):
            continue
        seen.add(kind)
        yield case
