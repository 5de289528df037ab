"""The targets of an H200, as ratios of figures of one run: what was reached of each, and whether that is enough."""
from typing import Callable, NamedTuple

BIG, BIG_TURNED, SQUARE, DOWN = (8192, 28672), (28672, 8192), (8192, 8192), (4096, 14336)
FLAT = (2, 3, 4, 8, 16)


class Missing(Exception):
    """A figure that the run does not have."""


class Figures:
    """Rows of the benchmark and of PyTorch by what they measure."""

    def __init__(self, rows, peers):
        self.rows = {key_of(row): row for row in rows}
        self.peers = {key_of(row): row for row in peers}

    def row(self, *key):
        return timed(self.rows, key)

    def peer(self, *key):
        return timed(self.peers, key)

    def bandwidth(self, floor):
        row = next((one for key, one in self.rows.items() if key[:2] == ("floor", floor)), None)
        if not row or "seconds" not in row:
            raise Missing(f"the floor {floor} was not measured")
        return row["bytes"] / row["seconds"]

    def of_floor(self, floor, *key):
        row = self.row(*key)
        return row["bytes"] / row["seconds"] / self.bandwidth(floor)

    def times_faster(self, peer, *key):
        return self.peer(*peer)["seconds"] / self.row(*key)["seconds"]


def key_of(row):
    return (row["op"], row["name"], row["dtype"])


def timed(rows, key):
    row = rows.get(key)
    if row is None:
        raise Missing(f"{' '.join(key)} was not measured")
    if "seconds" not in row:
        raise Missing(f"{' '.join(key)}: status {row['status']}")
    return row


def product(m, shape, dtype="bfloat16"):
    return ("gemm_4bit", f"nf4 M={m} {shape[0]}x{shape[1]}", dtype)


def dense(m, shape):
    return ("torch.matmul", f"M={m} {shape[0]}x{shape[1]}", "bfloat16")


class Target(NamedTuple):
    what: str
    bound: float
    figure: Callable  # of Figures
    is_most: bool = False  # the bound is the most, not the least

    def judged(self, figures):
        stated = {"what": self.what, "target": f"{'<=' if self.is_most else '>='} {self.bound}"}
        try:
            figure = self.figure(figures)
        except Missing as missing:
            return {**stated, "figure": None, "met": None, "reason": str(missing)}
        return {**stated, "figure": round(figure, 4), "met": figure <= self.bound if self.is_most else figure >= self.bound}


def bandwidth_targets():
    for shape, bound in ((BIG, 0.8), (BIG_TURNED, 0.8), (SQUARE, 0.6), (DOWN, 0.6)):
        yield Target(f"gemm_4bit M=1 {shape[0]}x{shape[1]} bfloat16, of read bandwidth", bound, lambda f, shape=shape: f.of_floor("read", *product(1, shape)))
    for verb, bound in (("quantize", 0.75), ("dequantize", 0.85)):
        for dtype in ("float32", "float16", "bfloat16"):
            key = (f"{verb}_4bit", "nf4 block 64", dtype)
            yield Target(f"nf4 {verb} {dtype}, of copy bandwidth", bound, lambda f, key=key: f.of_floor("copy", *key))
    for dtype in ("float32", "bfloat16"):
        key = ("optimizer_update_8bit_blockwise", "adam", dtype)
        yield Target(f"8-bit Adam {dtype}, of copy bandwidth", 0.75, lambda f, key=key: f.of_floor("copy", *key))


def flatness(figures, shape):
    """The slowest of M = 2 … 16 against M = 1."""
    return max(figures.row(*product(m, shape))["seconds"] for m in FLAT) / figures.row(*product(1, shape))["seconds"]


def peer_targets():
    for shape in (BIG, BIG_TURNED, SQUARE, DOWN):
        yield Target(f"gemm_4bit M=2…16 {shape[0]}x{shape[1]} bfloat16, time of M=1", 1.3, lambda f, shape=shape: flatness(f, shape), True)
        slowest = lambda f, shape=shape: min(f.times_faster(dense(m, shape), *product(m, shape)) for m in (1, 2, 4, 8))  # noqa: E731
        yield Target(f"gemm_4bit M=1…8 {shape[0]}x{shape[1]} bfloat16, times PyTorch dense", 3, slowest)
    yield Target("gemm_4bit M=512 8192x28672 bfloat16, times PyTorch dense", 0.6, lambda f: f.times_faster(dense(512, BIG), *product(512, BIG)))
    cube, peer = ("int8_linear_matmul", "M=4096 4096x4096", "int8"), ("torch._int_mm", "M=4096 4096x4096", "int8")
    yield Target("int8 matmul 4096³, times cublasLt (torch._int_mm)", 0.7, lambda f: f.times_faster(peer, *cube))


def error_targets():
    """Against a dense product with the weight rounded to the same dtype."""
    for dtype in ("bfloat16", "float16"):
        yield Target(f"gemm_4bit {dtype}, largest relative error of dense", 1.1, lambda f, dtype=dtype: largest_error(f, dtype), True)


def largest_error(figures, dtype):
    rows = [row for key, row in figures.rows.items() if key[0] == "gemm_4bit" and key[2] == dtype and row.get("dense_error")]
    if not rows:
        raise Missing(f"no product of {dtype} was measured")
    return max(row["relative_error"] / row["dense_error"] for row in rows)


def judged(rows, peers):
    figures = Figures(rows, peers)
    return [target.judged(figures) for target in (*bandwidth_targets(), *peer_targets(), *error_targets())]
