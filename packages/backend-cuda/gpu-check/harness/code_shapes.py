"""Codes to the bit: every threshold of a table for many block maxima, and tensors of many blocks."""
from functools import partial

import numpy as np

from . import compare, operations, rules
from .numbers import F32, FLOATS, cast, elements, narrow, widen

EDGES = (2.0**-149, 1e-39, 1e-38, 2.0**-126, 8.6e37, 3.4e38)


def cases(library, tables, scale):
    maxima = 8 if scale.is_small else 64
    size = 70_003 if scale.is_small else 2**22 + 12_345
    for kind, table in tables.four_bit.items():
        if kind not in operations.FORMAT:
            continue
        yield "quantize_4bit", f"{kind} thresholds", partial(thresholds_4bit, library, kind, table, maxima)
        for dtype in FLOATS:
            yield "quantize_4bit", f"{kind} {dtype} {size}", partial(many_4bit, library, kind, table, dtype, size)
    yield "quantize_blockwise", "thresholds", partial(thresholds_8bit, library, tables.dynamic, maxima)
    for dtype in FLOATS:
        yield "quantize_blockwise", f"{dtype} {size}", partial(many_8bit, library, tables.dynamic, dtype, size)
    yield "int8_vectorwise_quant", f"rows of {size // 64}", partial(rows_of_int8, library, size // 64)


def generator():
    return np.random.default_rng(20261122)


def beside_thresholds(code, count):
    """Blocks [count, …]: a block maximum, and every threshold times it, up to three neighbouring numbers away."""
    middles = rules.middles(np.sort(code))
    maxima = np.concatenate([EDGES, np.exp(generator().uniform(-20, 20, count - len(EDGES)))]).astype(np.float32)
    exact = (middles[None, :] * maxima[:, None]).reshape(count, -1, 1)
    near = (exact.view(np.int32) + np.arange(-3, 4, dtype=np.int32)).view(np.float32).reshape(count, -1)
    with np.errstate(invalid="ignore"):
        inside = np.where(np.abs(near) <= maxima[:, None], near, np.float32(0))
    return np.concatenate([maxima[:, None], inside], axis=1)


def padded(blocks, block_size):
    out = np.zeros((blocks.shape[0], block_size), np.float32)
    out[:, : blocks.shape[1]] = blocks
    return elements(F32, out)


def thresholds_4bit(library, kind, table, count):
    x = padded(beside_thresholds(table.data, count), 128)
    yield from same_4bit(library, x, kind, table, 128)


def many_4bit(library, kind, table, dtype, size):
    x = narrow(dtype, generator().standard_normal(size, dtype=np.float32))
    for block_size in (32, 64, 4096):
        yield from same_4bit(library, x, kind, table, block_size)


def same_4bit(library, x, kind, table, block_size):
    codes, absmax, fault = operations.quantize_4bit(library, x, kind, table, block_size)
    expected, scales = rules.quantize_4bit(widen(x), table.data, block_size)
    yield compare.in_text(-1, fault)
    yield compare.in_bits(expected, codes)
    yield compare.in_bits(scales, absmax)
    found = operations.dequantize_4bit(library, codes, absmax, table, x.data.size, block_size, x.dtype)
    nibbles = np.stack([codes.data >> 4, codes.data & 15], axis=1).reshape(-1)[: x.data.size]
    yield compare.in_bits(narrow(x.dtype, rules.dequantize_blockwise(nibbles, absmax.data, table.data, block_size)), found)


def thresholds_8bit(library, code, count):
    yield from same_8bit(library, padded(beside_thresholds(code.data, count), 2048), code, 2048)


def many_8bit(library, code, dtype, size):
    x = narrow(dtype, generator().standard_normal(size, dtype=np.float32))
    for block_size in (64, 256, 4096):
        yield from same_8bit(library, x, code, block_size)


def same_8bit(library, x, code, block_size):
    codes, absmax, fault = operations.quantize_blockwise(library, x, code, block_size)
    expected, scales = rules.quantize_blockwise(widen(x), code.data, block_size)
    yield compare.in_text(-1, fault)
    yield compare.in_bits(expected, codes)
    yield compare.in_bits(scales, absmax)
    found = operations.dequantize_blockwise(library, codes, absmax, code, block_size, 0.0, x.dtype)
    yield compare.in_bits(narrow(x.dtype, rules.dequantize_blockwise(codes.data, absmax.data, code.data, block_size)), found)


def rows_of_int8(library, k):
    values = elements(F32, generator().standard_normal(64 * k, dtype=np.float32), (64, k))
    for dtype in FLOATS:
        x = cast(values, dtype)
        q, stats, _ = operations.int8_vectorwise_quant(library, x, 0.0)
        expected, maxima = rules.quantize_rows(widen(x).reshape(64, k))
        yield compare.in_bits(expected, q)
        yield compare.in_bits(maxima, stats)
