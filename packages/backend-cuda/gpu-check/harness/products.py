"""
Products: matmul_4bit, the packed kernel of upstream, Linear4bit. Judged against the float64 product with unrounded weights; vectors that
round the weight to the dtype of the activations first get u·S on top, S being Σ|a·w|.
"""
from typing import NamedTuple

import numpy as np

from . import compare, operations, rules
from .numbers import ROUNDOFF, Elements, cast, elements, last, numbers, widen


class Product(NamedTuple):
    r: np.ndarray  # [m, n]
    s: np.ndarray
    k: int


def product_of(x, w, bias=None):
    """x [m, k] · w [n, k]ᵀ + bias in float64."""
    r = x @ w.T
    return Product(r if bias is None else r + bias, np.abs(x) @ np.abs(w).T, w.shape[1])


def nibbles(packed, size):
    return np.stack([packed >> 4, packed & 15], axis=1).reshape(-1)[:size]


def decoded(packed, absmax, table, block_size, n, k):
    """Unrounded weights [n, k] in float64: fr(code · absmax)."""
    values = table.data[nibbles(packed.data, n * k)] * np.repeat(absmax.data, block_size)[: n * k]
    return values.astype(np.float64).reshape(n, k)


def accumulation(dtype, k):
    """c: float32 sums in any order, or 16-bit integers with 14 bits kept."""
    return 4 * np.sqrt(k) * 2.0**-24 if dtype == "float32" else 2.0**-13


def bound_of(product, dtype, out_dtype=None):
    u = ROUNDOFF[dtype] + (ROUNDOFF[out_dtype] if out_dtype and out_dtype != dtype else 0)
    return u * np.abs(product.r) + accumulation(dtype, product.k) * product.s


def against(case, y, product, outputs, dtype, out_dtype=None, rounded_weight=False):
    same = bound_of(product, dtype, out_dtype)
    rounded = same + ROUNDOFF[dtype] * product.s
    for name in outputs:
        if not case.wants(name):
            continue
        yield name, compare.beyond(product.r, numbers(y), (rounded if rounded_weight else same).reshape(-1))
        yield name, compare.beyond(numbers(case.expected(name)), numbers(y), rounded.reshape(-1))


class Weight(NamedTuple):
    packed: Elements
    absmax: Elements
    table: Elements
    block_size: int
    n: int
    k: int

    def multiplied(self, library, x, bias):
        return operations.gemm_4bit(library, x, *self, bias)

    def product(self, x, bias):
        return product_of(numbers(x).reshape(-1, self.k), decoded(*self), None if bias is None else numbers(bias))


def stored_weight(case, tables):
    params = case.params
    return Weight(case.input("packed"), case.input("absmax"), tables.four_bit[params["quant_type"]], params["blocksize"], params["N"], params["K"])


def bias_in(case, dtype=None):
    if not case.has("bias"):
        return None
    return cast(case.input("bias"), dtype) if dtype else case.input("bias")


def matmul_4bit(case, library, tables):
    weight, x, bias = stored_weight(case, tables), case.input("A"), bias_in(case)
    y = weight.multiplied(library, x, bias)
    product, outputs = weight.product(x, bias), ("out", "gemv", "ref_f64")
    yield from against(case, y, product, outputs, x.dtype)
    if case.has("absmax_u8") and library.has("gemm_4bit_nested"):
        scales = case.nested_scales(case.input)
        nested = operations.gemm_4bit_nested(library, x, weight.packed, scales, weight.table, *weight[3:], bias)
        yield from against(case, nested, product, outputs, x.dtype)


def gemv_packed(case, library, tables):
    """Upstream's packed kernel rounds activations, table and absmax to bfloat16."""
    weight, x, bias = stored_weight(case, tables), case.input("A"), bias_in(case)
    y, product = weight.multiplied(library, x, bias), weight.product(x, bias)
    yield from against(case, y, product, ("ref_f64",), x.dtype)
    if case.wants("out"):
        yield "out", compare.beyond(numbers(case.expected("out")), numbers(y), 2.0**-7 * product.s.reshape(-1))


def linear_4bit(case, library, tables):
    params, w = case.params, case.input("W")
    kind, block_size = params["quant_type"], params["blocksize"]
    codes, absmax, fault = operations.quantize_4bit(library, w, kind, tables.four_bit[kind], block_size)
    yield "packed", compare.in_text(-1, fault)
    yield "packed", compare.in_bits(case.expected("packed"), codes)
    yield from layer_absmax(case, library, tables, absmax)
    yield from forwarded(case, library, tables)


def layer_absmax(case, library, tables, absmax):
    """The vector holds de-nested maxima. The offset is the host's, so nested ones are close, not equal."""
    if not case.params["compress_statistics"]:
        yield "absmax", compare.in_bits(case.expected("absmax"), absmax)
        return
    _, own = rules.quantize_4bit(widen(case.input("W")), tables.four_bit[case.params["quant_type"]].data, case.params["blocksize"])
    yield "absmax", compare.in_bits(own, absmax)
    offset = np.float32(own.data.astype(np.float64).sum() / own.data.size)
    codes, scales, fault = operations.quantize_blockwise(library, elements("float32", absmax.data - offset), tables.dynamic, 256)
    yield "absmax", compare.in_text(-1, fault)
    found = operations.dequantize_blockwise(library, codes, scales, tables.dynamic, 256, float(offset), "float32")
    yield "absmax", compare.close(elements("float32", rules.nested_absmax(own.data, tables.dynamic.data)), found, 1e-6, 0)


def forwarded(case, library, tables):
    """x and bias are cast to the compute dtype, the result back to the dtype of x."""
    params, given = case.params, case.input("x")
    compute = params["compute_dtype"] or given.dtype
    x, bias = cast(given, compute), bias_in(case, compute)
    table, n, k = tables.four_bit[params["quant_type"]], params["out_features"], params["in_features"]
    weight = Weight(case.expected("packed"), case.expected("absmax"), table, params["blocksize"], n, k)
    y, product = cast(weight.multiplied(library, x, bias), given.dtype), weight.product(x, bias)
    yield from against(case, y, product, ("out_train", "ref_f64"), compute, given.dtype)
    if case.wants("out_eval"):
        yield "out_eval", compare.beyond(numbers(case.expected("out_eval")), numbers(y), 2.0**-6 * product.s.reshape(-1))


def flattened(x):
    return x._replace(shape=(x.data.size // last(x.shape), last(x.shape)))
