"""Products of every number of rows, whole tiles and rests of them: sampled columns against float64."""
from functools import partial

import numpy as np

from . import compare, operations, rules
from .code_shapes import generator
from .numbers import F32, FLOATS, elements, narrow, numbers
from .products import bound_of, product_of

SMALL = {"rows": (1, 3, 17, 65), "weights": ((24, 256), (33, 200), (5, 77)), "int8": ((3, 40, 96), (17, 33, 50))}
LARGE = {
    "rows": (1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 127, 128, 129, 512, 1000),
    "weights": ((4096, 4096), (4096, 14336), (11008, 4096), (129, 65536), (4100, 1000), (33, 200), (5, 77)),
    "int8": ((1, 4096, 4096), (17, 4099, 1000), (512, 4096, 4096), (1000, 1001, 1003), (4096, 4096, 4096)),
}  # fmt: skip
SAMPLED = 48


def cases(library, tables, scale):
    shapes = SMALL if scale.is_small else LARGE
    for n, k in shapes["weights"]:
        for dtype in FLOATS:
            for kind, block_size in (("nf4", 64), ("fp4", 128)):
                table = tables.four_bit[kind]
                run = partial(four_bit_products, library, table, dtype, n, k, block_size, shapes["rows"])
                yield "gemm_4bit", f"{kind} {block_size} {dtype} {n}x{k}", run
            if library.has("gemm_4bit_nested"):
                yield "gemm_4bit_nested", f"nf4 64 {dtype} {n}x{k}", partial(nested_products, library, tables, dtype, n, k, shapes["rows"])
            yield "gemm", f"{dtype} {n}x{k}", partial(dense_products, library, dtype, n, k, shapes["rows"])
    for m, n, k in shapes["int8"]:
        yield "int8_linear_matmul", f"{m}x{n}x{k}", partial(integer_product, library, m, n, k)


def sampled(n):
    """The first, the last, and some between: columns of the output, ascending."""
    return np.unique(np.concatenate([[0, n - 1], generator().integers(0, n, min(SAMPLED, n))]))


def activations(dtype, m, k):
    return narrow(dtype, generator().standard_normal(m * k, dtype=np.float32))._replace(shape=(m, k))


def columns_of(y, m, n, columns):
    return numbers(y).reshape(m, n)[:, columns].reshape(-1)


def four_bit_products(library, table, dtype, n, k, block_size, rows):
    random, columns = generator(), sampled(n)
    codes = elements("uint8", random.integers(0, 256, (n * k + 1) // 2, dtype=np.uint8))
    absmax = elements(F32, random.uniform(0.01, 0.03, -(-n * k // block_size)).astype(np.float32))
    # Uploaded once: a weight is much larger than what multiplies it.
    weight = [library.upload(one) for one in (codes, absmax, table)]
    w = decoded_rows(codes.data, absmax.data, table.data, block_size, columns, k)
    yield from products_of(library, dtype, w, n, rows, lambda x, bias: operations.gemm_4bit(library, x, *weight, block_size, n, k, bias))


def nested_products(library, tables, dtype, n, k, rows):
    """Scales that are codes themselves, decoded on the way."""
    random, columns, table, count = generator(), sampled(n), tables.four_bit["nf4"], -(-n * k // 64)
    codes = elements("uint8", random.integers(0, 256, (n * k + 1) // 2, dtype=np.uint8))
    of_scales = elements("uint8", random.integers(0, 256, count, dtype=np.uint8))
    maxima = elements(F32, random.uniform(0.001, 0.003, -(-count // 256)).astype(np.float32))
    absmax = rules.dequantize_blockwise(of_scales.data, maxima.data, tables.dynamic.data, 256, 0.02)
    scales = (*(library.upload(one) for one in (of_scales, maxima, tables.dynamic)), 256, 0.02)
    given = (library.upload(codes), scales, library.upload(table), 64, n, k)
    w = decoded_rows(codes.data, absmax, table.data, 64, columns, k)
    yield from products_of(library, dtype, w, n, rows, lambda x, bias: operations.gemm_4bit_nested(library, x, *given, bias))


def products_of(library, dtype, w, n, rows, multiply):
    """w: rows of the weight that are looked at."""
    columns, k = sampled(n), w.shape[1]
    bias = narrow(dtype, generator().standard_normal(n, dtype=np.float32))
    for m in rows:
        x = activations(dtype, m, k)
        product = product_of(numbers(x).reshape(m, k), w, numbers(bias)[columns])
        yield compare.beyond(product.r, columns_of(multiply(x, bias), m, n, columns), bound_of(product, dtype).reshape(-1))


def decoded_rows(codes, absmax, table, block_size, columns, k):
    """Rows `columns` of the weight, unrounded, in float64."""
    flat = columns.astype(np.int64)[:, None] * k + np.arange(k)
    nibbles = np.where(flat & 1, codes[flat >> 1] & 15, codes[flat >> 1] >> 4)
    return (table[nibbles] * absmax[flat // block_size]).astype(np.float64)


def dense_products(library, dtype, n, k, rows):
    """Both directions: x·Wᵀ and, with as many rows, y·W."""
    random, columns = generator(), sampled(n)
    weight = narrow(dtype, 0.02 * random.standard_normal(n * k, dtype=np.float32))._replace(shape=(n, k))
    w = numbers(weight).reshape(n, k)
    for m in rows[:: max(1, len(rows) // 4)]:
        x = activations(dtype, m, k)
        y = operations.gemm(library, x, weight, n, k)
        product = product_of(numbers(x).reshape(m, k), w[columns])
        yield compare.beyond(product.r, columns_of(y, m, n, columns), bound_of(product, dtype).reshape(-1))
        yield from transposed_product(library, dtype, weight, w, m)


def transposed_product(library, dtype, weight, w, m):
    (n, k), columns = w.shape, sampled(w.shape[1])
    x = activations(dtype, m, n)
    y = operations.gemm(library, x, weight, n, k, transpose=True)
    product = product_of(numbers(x).reshape(m, n), w[:, columns].T)
    yield compare.beyond(product.r, columns_of(y, m, k, columns), bound_of(product, dtype).reshape(-1))


def integer_product(library, m, n, k):
    """Sums below 2⁵³ are exact in float64 too."""
    random = generator()
    a, b = (elements("int8", random.integers(-127, 128, (count, k), dtype=np.int8), (count, k)) for count in (m, n))
    expected = a.data.reshape(m, k).astype(np.float64) @ b.data.reshape(n, k).astype(np.float64).T
    yield compare.in_bits(elements("int32", expected), operations.int8_linear_matmul(library, a, b))
