"""LLM.int8(): row-wise quantization, integer products, scaled results, outlier columns, and the layer made of them."""
import numpy as np

from . import compare, operations, rules
from .numbers import ROUNDOFF, cast, elements, last, narrow, numbers, widen
from .products import against, bias_in, flattened, product_of


def vectorwise_quant(case, library, tables):
    q, stats, mask = operations.int8_vectorwise_quant(library, case.input("A"), case.params["threshold"])
    for name, found in (("q", q), ("row_stats", stats)):
        if case.wants(name):
            yield name, compare.in_bits(case.expected(name), found)
    columns = case.expected("outlier_cols").data.tolist() if case.wants("outlier_cols") else []
    yield "outlier_cols", compare.in_text(columns, np.flatnonzero(mask.data).tolist())
    if case.wants("dequant"):
        found = operations.int8_vectorwise_dequant(library, case.expected("q"), case.expected("row_stats"))
        yield "dequant", compare.in_bits(case.expected("dequant"), found)


def linear_matmul(case, library, tables):
    yield "out", compare.in_bits(case.expected("out"), operations.int8_linear_matmul(library, case.input("A"), case.input("B")))


def mm_dequant(case, library, tables):
    stats, bias, out = (case.input("row_stats"), case.input("col_stats")), bias_in(case), case.expected("out")
    found = operations.int8_mm_dequant(library, case.input("A"), *stats, bias, out.dtype)
    yield from scaled(case, found, case.input("A").data, *stats, bias)


def scaled_mm(case, library, tables):
    a, b, bias = case.input("CA"), case.input("CB"), bias_in(case)
    stats, out = (case.input("SCA"), case.input("SCB")), case.expected("out")
    found = operations.int8_scaled_mm(library, a, b, *stats, bias, out.dtype)
    k = last(b.shape)
    yield from scaled(case, found, a.data.reshape(-1, k).astype(np.int64) @ b.data.reshape(-1, k).astype(np.int64).T, *stats, bias)


def scaled(case, found, products, row_stats, col_stats, bias):
    """To the bit what the rule gives; near the vector, whose constant differs."""
    out, of_bias = case.expected("out"), 0 if bias is None else widen(bias)
    products = products.reshape(-1, col_stats.data.size)
    expected = rules.mm_dequant(products, row_stats.data.reshape(-1), col_stats.data.reshape(-1), None if bias is None else of_bias)
    yield "out", compare.in_bits(narrow(out.dtype, expected), found)
    without_bias = np.abs(numbers(out).reshape(products.shape) - of_bias).reshape(-1)
    bound = 2.0**-15 * without_bias + 2 * ROUNDOFF[out.dtype] * np.abs(numbers(out))
    yield "out", compare.beyond(numbers(out), numbers(found), bound)


def near_largest(name, case, found):
    """Two constants (2⁻¹⁵), and the int8 part and the sum each round once (2u), relative to the largest output."""
    expected = numbers(case.expected(name))
    bound = (2.0**-15 + 2 * ROUNDOFF[found.dtype]) * np.abs(expected).max(initial=0)
    return name, compare.beyond(expected, numbers(found), bound)


def mixed_scaled_mm(case, library, tables):
    a, x, bias = case.input("CA"), case.input("A"), bias_in(case)
    columns = case.input("outlier_cols").data
    if case.wants("subA"):
        yield "subA", sub_a(case, library, x)
    mask = np.zeros(last(x.shape), np.uint8)
    mask[columns] = 1
    operands = (a, case.input("CB"), case.input("SCA"), case.input("SCB"), bias, x.dtype)
    yield near_largest("out", case, operations.int8_scaled_mm(library, *operands, x, elements("uint8", mask)))


def sub_a(case, library, x):
    """The columns of A that the library's mask names. Upstream quantizes A rounded to float16."""
    _, _, mask = operations.int8_vectorwise_quant(library, cast(x, "float16"), case.params["threshold"])
    columns = x.data.reshape(-1, last(x.shape))[:, np.flatnonzero(mask.data)]
    return compare.in_bits(case.expected("subA"), elements(x.dtype, columns))


def linear_8bit(case, library, tables):
    w = cast(case.input("W"), "float16")
    q, stats, mask = operations.int8_vectorwise_quant(library, w, 0.0)
    yield "CB", compare.in_text(0, int(mask.data.max(initial=0)))
    yield "CB", compare.in_bits(case.expected("CB"), q)
    yield "SCB", compare.in_bits(case.expected("SCB"), stats)
    x = flattened(case.input("x"))
    if case.wants("out_eval"):
        yield near_largest("out_eval", case, evaluated(case, library, x, q, stats))
    yield from trained(case, library, x, q, stats)


def evaluated(case, library, x, q, stats):
    """Quantization sees x rounded to float16, outlier columns come from x itself, the bias is cast to its dtype."""
    threshold = case.params["threshold"]
    a, row_stats, mask = operations.int8_vectorwise_quant(library, cast(x, "float16"), threshold)
    outliers = (x, mask) if threshold else ()
    return operations.int8_scaled_mm(library, a, q, row_stats, stats, bias_in(case, x.dtype), x.dtype, *outliers)


def trained(case, library, x, q, stats):
    """The weight is dequantized to the dtype of x and multiplied; activations stay as they are."""
    n, k = q.shape
    weight, bias = operations.int8_vectorwise_dequant(library, q, stats), bias_in(case, x.dtype)
    y = operations.gemm(library, x, narrow(x.dtype, weight.data), n, k, bias)
    product = product_of(numbers(x).reshape(-1, k), numbers(weight).reshape(n, k), None if bias is None else numbers(bias))
    yield from against(case, y, product, ("out_train", "ref_f64"), x.dtype, rounded_weight=True)
