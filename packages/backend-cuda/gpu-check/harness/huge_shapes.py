"""Tensors of more than 2³¹ elements: an index of 32 bits anywhere shows in the last blocks. On a GPU only, for the memory it takes."""
from functools import partial

import numpy as np

from . import compare, rules
from .code_shapes import generator
from .library import NoMemory, Unsupported
from .numbers import F32, narrow, widen
from .operations import DTYPE, FORMAT, REFERENCE

SIZE = 2**31 + 4096 + 5
BLOCK = 64
# The last blocks and the rest, 4 101 elements: everything before them is zeros.
TAIL = 4096 + 5


def cases(library, tables, scale):
    if not scale.is_gpu or scale.is_small:
        return
    yield "quantize_4bit", f"{SIZE} elements", partial(quantized, library, "nf4", tables.four_bit["nf4"])
    yield "quantize_blockwise", f"{SIZE} elements", partial(quantized, library, None, tables.dynamic)


def quantized(library, kind, table):
    try:
        yield from judged(library, kind, table)
    except NoMemory as missing:
        raise Unsupported(str(missing)) from missing


def judged(library, kind, table):
    tail = narrow("bfloat16", generator().standard_normal(TAIL, dtype=np.float32))
    x = library.output("bfloat16", SIZE)
    library.write(x.address, tail, 2 * (SIZE - TAIL))
    per_byte = 2 if kind else 1
    codes, absmax = library.output("uint8", -(-SIZE // per_byte)), library.output(F32, -(-SIZE // BLOCK))
    yield from (quantized_4bit if kind else quantized_8bit)(library, x, tail, table, codes, absmax)


def quantized_4bit(library, x, tail, table, codes, absmax):
    code = np.ascontiguousarray(table.data)
    given = (x, DTYPE["bfloat16"], SIZE, code.ctypes.data, FORMAT["nf4"], BLOCK, REFERENCE)
    library.call("quantize_4bit", *given, codes, absmax, None)
    expected, scales = rules.quantize_4bit(widen(tail), table.data, BLOCK)
    begin = (SIZE - TAIL) // 2
    yield compare.in_bits(expected, library.read(codes, begin))
    yield compare.in_bits(scales, library.read(absmax, (SIZE - TAIL) // BLOCK))
    nibbles = np.stack([expected.data >> 4, expected.data & 15], axis=1).reshape(-1)[:TAIL]
    library.call("dequantize_4bit", codes, absmax, table, SIZE, BLOCK, x, DTYPE["bfloat16"])
    yield same_decoded(library, x, nibbles, scales, table)


def quantized_8bit(library, x, tail, table, codes, absmax):
    address = library.upload(table)
    library.call("quantize_blockwise", x, DTYPE["bfloat16"], SIZE, address, BLOCK, REFERENCE, codes, absmax, None)
    expected, scales = rules.quantize_blockwise(widen(tail), table.data, BLOCK)
    yield compare.in_bits(expected, library.read(codes, SIZE - TAIL))
    yield compare.in_bits(scales, library.read(absmax, (SIZE - TAIL) // BLOCK))
    library.call("dequantize_blockwise", codes, absmax, address, SIZE, BLOCK, 0.0, x, DTYPE["bfloat16"])
    yield same_decoded(library, x, expected.data, scales, table)


def same_decoded(library, x, codes, scales, table):
    decoded = rules.dequantize_blockwise(codes, scales.data, table.data, BLOCK)
    return compare.in_bits(narrow("bfloat16", decoded), library.read(x, SIZE - TAIL))


assert (SIZE - TAIL) % BLOCK == 0
