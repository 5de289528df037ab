"""Operations of halfbyte.h as functions of Elements. What has no kernel raises Unsupported."""
import ctypes as c
from typing import NamedTuple

import numpy as np

from .library import NUMBER
from .numbers import F32, Elements, last, rows

DTYPE = {"float32": NUMBER["HB_FLOAT32"], "float16": NUMBER["HB_FLOAT16"], "bfloat16": NUMBER["HB_BFLOAT16"]}
FORMAT = {"nf4": NUMBER["HB_NF4"], "fp4": NUMBER["HB_FP4"]}
REFERENCE = NUMBER["HB_REFERENCE"]
# The accuracy that a product runs at when none is asked for.
ACCURACY = {"float32": NUMBER["HB_EXACT"], "float16": NUMBER["HB_FAST"], "bfloat16": NUMBER["HB_FAST"]}
OPTIMIZER = {
    **dict.fromkeys(("adam", "adamw", "lamb"), NUMBER["HB_ADAM"]), "ademamix": NUMBER["HB_ADEMAMIX"],
    **dict.fromkeys(("momentum", "lars"), NUMBER["HB_MOMENTUM"]), "lion": NUMBER["HB_LION"],
    "rmsprop": NUMBER["HB_RMSPROP"], "adagrad": NUMBER["HB_ADAGRAD"],
}  # fmt: skip
# No path of upstream scales these by a trust ratio.
UNTRUSTED = ("ademamix", "adagrad")


# What a library has for weights whose scales are codes themselves.
NESTED_4BIT = ("dequantize_4bit_nested", "gemm_4bit_nested")


class NestedScales(NamedTuple):
    """In the order of the arguments."""

    codes: Elements
    absmax: Elements
    code: Elements
    block_size: int
    offset: float


def blocks(size, block_size):
    return -(-size // block_size)


def quantize_4bit(library, x, kind, table, block_size):
    """codes, absmax, and the lowest index of what is not finite, −1 for none."""
    size = x.data.size
    codes, absmax = library.output("uint8", (size + 1) // 2), library.output(F32, blocks(size, block_size))
    fault = library.output("int64", 1)
    host_code = np.ascontiguousarray(table.data)
    library.call("quantize_4bit", x, DTYPE[x.dtype], size, host_code.ctypes.data, FORMAT[kind], block_size, REFERENCE, codes, absmax, fault)
    return library.read(codes), library.read(absmax), int(library.read(fault).data[0])


def dequantize_4bit(library, codes, absmax, table, size, block_size, dtype):
    out = library.output(dtype, size)
    library.call("dequantize_4bit", codes, absmax, table, size, block_size, out, DTYPE[dtype])
    return library.read(out)


def dequantize_4bit_nested(library, codes, scales, table, size, block_size, dtype):
    out = library.output(dtype, size)
    library.call("dequantize_4bit_nested", codes, *scales, table, size, block_size, out, DTYPE[dtype])
    return library.read(out)


def quantize_blockwise(library, x, code, block_size):
    size = x.data.size
    codes, absmax, fault = library.output("uint8", size), library.output(F32, blocks(size, block_size)), library.output("int64", 1)
    library.call("quantize_blockwise", x, DTYPE[x.dtype], size, code, block_size, REFERENCE, codes, absmax, fault)
    return library.read(codes), library.read(absmax), int(library.read(fault).data[0])


def dequantize_blockwise(library, codes, absmax, code, block_size, offset, dtype):
    out = library.output(dtype, codes.data.size)
    library.call("dequantize_blockwise", codes, absmax, code, codes.data.size, block_size, offset, out, DTYPE[dtype])
    return library.read(out)


def bias_of(bias):
    return (None, 0) if bias is None else (bias, DTYPE[bias.dtype])


def gemm_4bit(library, x, codes, absmax, table, block_size, n, k, bias=None):
    m = x.data.size // k
    out = library.output(x.dtype, m * n)
    weight = (codes, absmax, None, table, block_size, ACCURACY[x.dtype])
    library.call("gemm_4bit", x, DTYPE[x.dtype], *weight, *bias_of(bias), m, n, k, out)
    return library.read(out)


def gemm_4bit_nested(library, x, codes, scales, table, block_size, n, k, bias=None):
    m = x.data.size // k
    out = library.output(x.dtype, m * n)
    library.call("gemm_4bit_nested", x, DTYPE[x.dtype], codes, *scales, table, block_size, ACCURACY[x.dtype], *bias_of(bias), m, n, k, out)
    return library.read(out)


def gemm(library, x, weight, n, k, bias=None, transpose=False):
    m = x.data.size // (n if transpose else k)
    out = library.output(x.dtype, m * (k if transpose else n))
    library.call("gemm", x, DTYPE[x.dtype], weight, DTYPE[weight.dtype], *bias_of(bias), m, n, k, int(transpose), out)
    return library.read(out)


def int8_vectorwise_quant(library, x, threshold):
    """q, row statistics, mask of outlier columns."""
    m, k = rows(x.shape), last(x.shape)
    q, stats, mask = library.output("int8", m * k), library.output(F32, m), library.output("uint8", k)
    library.call("int8_vectorwise_quant", x, DTYPE[x.dtype], m, k, threshold, q, stats, mask, None)
    return library.read(q)._replace(shape=(m, k)), library.read(stats), library.read(mask)


def int8_vectorwise_dequant(library, q, stats):
    m, k = rows(q.shape), last(q.shape)
    out = library.output(F32, m * k)
    library.call("int8_vectorwise_dequant", q, stats, m, k, out)
    return library.read(out)


def int8_linear_matmul(library, a, b):
    m, (n, k) = rows(a.shape), b.shape
    out = library.output("int32", m * n)
    library.call("int8_linear_matmul", a, b, None, m, n, k, out)
    return library.read(out)


def int8_mm_dequant(library, a, row_stats, col_stats, bias, dtype):
    m, n = rows(a.shape), last(a.shape)
    out = library.output(dtype, m * n)
    library.call("int8_mm_dequant", a, row_stats, col_stats, *bias_of(bias), m, n, REFERENCE, out, DTYPE[dtype])
    return library.read(out)


def int8_scaled_mm(library, a, b, row_stats, col_stats, bias, dtype, x=None, mask=None):
    """With x and a mask of its outlier columns: the mixed product."""
    m, (n, k) = rows(a.shape), b.shape
    out = library.output(dtype, m * n)
    operands = (x, a, b, None, row_stats, col_stats, mask)
    library.call("int8_mixed_scaled_mm", *operands, *bias_of(bias), m, n, k, REFERENCE, out, DTYPE[dtype])
    return library.read(out)


class Updated:
    """Tensors of an optimizer on the device: what was uploaded, and what the step left there."""

    def __init__(self, library, tensors):
        self.library = library
        self.outputs = {name: library.output(one.dtype, one.data.size) for name, one in tensors.items()}
        for name, one in tensors.items():
            library.write(self.outputs[name].address, one)

    def of(self, name):
        return self.outputs.get(name)

    def read(self, name):
        return self.library.read(self.outputs[name])


def optimizer_32bit(library, optimizer, tensors, grad, step):
    """tensors: param, state1, and state2 where there is one. Returns them after the step, and the norm of the update."""
    updated, norm = Updated(library, tensors), library.output(F32, 1)
    dtypes = (DTYPE[tensors["param"].dtype], DTYPE[grad.dtype])
    states = (updated.of("state1"), updated.of("state2"), tensors["param"].data.size)
    trust = int(optimizer not in UNTRUSTED)
    given = (OPTIMIZER[optimizer], updated.of("param"), grad, *dtypes, *states, c.byref(step), REFERENCE, trust, norm)
    library.call("optimizer_update_32bit", *given)
    return updated, library.read(norm)


def optimizer_8bit(library, optimizer, tensors, grad, codes, block_size, step):
    """tensors: param, state1, absmax1, and state2, absmax2 where there are two. codes: the maps of the states."""
    updated = Updated(library, tensors)
    dtypes = (DTYPE[tensors["param"].dtype], DTYPE[grad.dtype])
    states = (updated.of("state1"), updated.of("state2"), *codes, updated.of("absmax1"), updated.of("absmax2"))
    given = (OPTIMIZER[optimizer], updated.of("param"), grad, *dtypes, *states)
    library.call("optimizer_update_8bit_blockwise", *given, tensors["param"].data.size, block_size, c.byref(step), REFERENCE)
    return updated
