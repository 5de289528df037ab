"""
Rules of profile `reference` in numpy, for what the vectors hold only as upstream's CPU kernels round it. A second implementation:
core's reference kernels are the first, and the tests of the harness hold a library that is known to equal them to these.
"""
import numpy as np

from .numbers import elements

INVERSE_127_SQUARED = np.float32(1 / 127**2)


def in_blocks(values, block_size):
    """[blocks, block_size], the last one filled up with zeros."""
    padded = np.zeros(-(-values.size // block_size) * block_size, dtype=np.float32)
    padded[: values.size] = values
    return padded.reshape(-1, block_size)


def scaled_blocks(values, block_size):
    """Elements over the largest of their block, in −1 … 1, and the largest of every block."""
    blocks = in_blocks(values, block_size)
    absmax = np.abs(blocks).max(axis=1) if blocks.size else np.zeros(0, np.float32)
    reciprocal = np.float32(1) / np.maximum(absmax, np.float32(1e-38))
    scaled = np.clip(blocks * reciprocal[:, None], np.float32(-1), np.float32(1))
    return scaled.reshape(-1)[: values.size], absmax


def middles(sorted_code):
    return (sorted_code[1:] + sorted_code[:-1]) * np.float32(0.5)


def quantize_blockwise(values, code, block_size):
    """Codes and absmax of float32 values: exactly the nearest entry, the lower code on a tie."""
    scaled, absmax = scaled_blocks(values, block_size)
    return elements("uint8", np.searchsorted(middles(code), scaled, side="left")), elements("float32", absmax)


def quantize_4bit(values, code, block_size):
    """The last, partial block divides by its absmax, which is raised to 1e-38; two codes to a byte, the first one high."""
    scaled, absmax = scaled_blocks(values, block_size)
    tail = values.size % block_size
    if tail:
        absmax[-1] = max(absmax[-1], np.float32(1e-38))
        scaled[-tail:] = np.clip(values[-tail:] / absmax[-1], np.float32(-1), np.float32(1))
    order = np.argsort(code, kind="stable")
    even = np.append(scaled, np.float32(0)) if values.size % 2 else scaled
    q = order[np.searchsorted(middles(code[order]), even, side="left")].astype(np.uint8)
    return elements("uint8", q[0::2] << 4 | q[1::2]), elements("float32", absmax)


def quantize_rows(x):
    """int8 codes and row maxima of float32 [rows, k], without outliers."""
    absmax = np.abs(x).max(axis=1)
    with np.errstate(divide="ignore"):
        scale = np.float32(1) / absmax * np.float32(127)
    q = np.rint(x * np.where(absmax == 0, np.float32(0), scale)[:, None])
    return elements("int8", np.clip(q, -127, 127)), elements("float32", absmax)


def dequantize_blockwise(codes, absmax, code, block_size, offset=0.0):
    scales = np.repeat(absmax, block_size)[: codes.size]
    decoded = code[codes] * scales
    return decoded + np.float32(offset) if offset else decoded


def nested_absmax(absmax, dynamic, block_size=256):
    """absmax as nested statistics give it back."""
    offset = np.float32(absmax.astype(np.float64).sum() / absmax.size)
    codes, scales = quantize_blockwise(absmax - offset, dynamic, block_size)
    return dequantize_blockwise(codes.data, scales.data, dynamic, block_size, offset)


def mm_dequant(products, row_stats, col_stats, bias):
    """float32 [m, n], before it is rounded to the dtype of the output."""
    scales = row_stats[:, None] * col_stats[None, :]
    scaled = products.astype(np.float32) * scales * INVERSE_127_SQUARED
    return scaled if bias is None else scaled + bias
