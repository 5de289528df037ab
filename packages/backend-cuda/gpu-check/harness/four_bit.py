"""quantize_4bit, dequantize_4bit and quantize_blockwise."""
import numpy as np

from . import compare, operations, rules
from .numbers import F32, elements, numbers, widen

# Block size of the second level of nested 4-bit statistics; upstream has no other.
NESTED_BLOCK = 256


def first_not_finite(x):
    wrong = ~np.isfinite(numbers(x))
    return int(np.argmax(wrong)) if wrong.any() else -1


def quantize_4bit(case, library, tables):
    kind, block_size = case.params["quant_type"], case.params["blocksize"]
    x, table = case.input("A"), tables.four_bit[kind]
    codes, absmax, fault = operations.quantize_4bit(library, x, kind, table, block_size)
    # Callers refuse the input by this number; the codes are what `propagate` gives.
    yield "fault", compare.in_text(first_not_finite(x), fault)
    for name in ("packed", "packed_as_u8"):
        if case.wants(name):
            yield name, compare.in_bits(case.expected(name), codes)
    if case.wants("absmax"):
        yield "absmax", compare.in_bits(case.expected("absmax"), absmax)
    if case.wants("offset"):
        yield from nested_level(case, library, tables, NESTED_BLOCK)
    if case.wants("dequant"):
        yield "dequant", compare.in_bits(case.expected("dequant"), decoded_vector(case, library, table, x))
    if case.wants("absmax_u8") and case.wants("dequant") and library.has("dequantize_4bit_nested"):
        yield "dequant", compare.in_bits(case.expected("dequant"), decoded_at_once(case, library, table, x))


def decoded_vector(case, library, table, x):
    """The vector's own codes and scales, decoded."""
    packed = case.expected("packed" if case.wants("packed") else "packed_as_u8")
    absmax = decode_level(case, library, case.expected("absmax_u8"), NESTED_BLOCK) if case.wants("absmax_u8") else case.expected("absmax")
    return operations.dequantize_4bit(library, packed, absmax, table, x.data.size, case.params["blocksize"], case.expected("dequant").dtype)


def decoded_at_once(case, library, table, x):
    """By the kernel that decodes nested scales on the way."""
    scales, out = case.nested_scales(case.expected, NESTED_BLOCK), case.expected("dequant")
    return operations.dequantize_4bit_nested(library, case.expected("packed"), scales, table, x.data.size, case.params["blocksize"], out.dtype)


def dequantize_4bit(case, library, tables):
    out, table = case.expected("dequant"), tables.four_bit[case.params["quant_type"]]
    stored = (case.input("packed"), case.input("absmax"), table)
    found = operations.dequantize_4bit(library, *stored, out.data.size, case.params["blocksize"], out.dtype)
    yield "dequant", compare.in_bits(out, found)


def nested_level(case, library, tables, block_size):
    """The offset is the host's; everything after it is judged bit for bit from the vector's offset."""
    absmax, offset = case.expected("absmax").data, case.expected("offset")
    mean = elements(F32, [absmax.astype(np.float64).sum() / absmax.size])
    yield "offset", compare.in_ulps(offset, mean, 1)
    yield "nested_code", compare.in_bits(case.expected("nested_code"), nested_map(case, tables))
    centred = elements(F32, absmax - offset.data[0])
    expected, scales = rules.quantize_blockwise(centred.data, case.expected("nested_code").data, block_size)
    codes, found_scales, fault = operations.quantize_blockwise(library, centred, case.expected("nested_code"), block_size)
    yield "absmax_u8", compare.in_text(-1, fault)
    yield "absmax_u8", compare.in_bits(expected, codes)
    yield "nested_absmax", compare.in_bits(case.expected("nested_absmax"), found_scales)
    if case.wants("absmax_dequant"):
        arguments = (expected.data, scales.data, case.expected("nested_code").data, block_size, offset.data[0])
        found = decode_level(case, library, expected, block_size)
        yield "absmax_dequant", compare.in_bits(elements(F32, rules.dequantize_blockwise(*arguments)), found)


def nested_map(case, tables):
    return case.input("code") if case.has("code") else tables.dynamic


def decode_level(case, library, codes, block_size):
    stored = (codes, case.expected("nested_absmax"), case.expected("nested_code"))
    return operations.dequantize_blockwise(library, *stored, block_size, float(case.expected("offset").data[0]), F32)


def quantize_blockwise(case, library, tables):
    block_size, x, code = case.params["blocksize"], case.input("A"), nested_map(case, tables)
    codes, absmax, fault = operations.quantize_blockwise(library, x, code, block_size)
    lowest = first_not_finite(x)
    yield "fault", compare.in_text(lowest, fault)
    if lowest >= 0:
        # Upstream's result is undefined; that it is refused is all there is to judge.
        yield from ((name, None) for name in ("q", "absmax"))
        return
    yield from blockwise_codes(case, code, codes, absmax)
    if case.wants("offset"):
        yield from nested_level(case, library, tables, block_size)
    if case.wants("dequant"):
        yield "dequant", compare.in_bits(case.expected("dequant"), decoded_bytes(case, library, code))


def blockwise_codes(case, code, codes, absmax):
    """`q` is the CPU's table rule; `q_default`, stored where it differs, the midpoint rule. Upstream's subnormal blocks are undefined."""
    expected, scales = rules.quantize_blockwise(widen(case.input("A")), code.data, case.params["blocksize"])
    is_defined = case.params.get("what") != "subnormal"
    for name in ("q", "q_default"):
        if case.wants(name):
            stored = case.expected("q_default" if case.wants("q_default") else "q")
            yield name, compare.in_bits(stored if is_defined else expected, codes)
    yield "absmax", compare.in_bits(case.expected("absmax") if is_defined else scales, absmax)


def decoded_bytes(case, library, code):
    absmax = decode_level(case, library, case.expected("absmax_u8"), case.params["blocksize"]) if case.wants("absmax_u8") else case.expected("absmax")
    return operations.dequantize_blockwise(library, case.expected("q"), absmax, code, case.params["blocksize"], 0.0, case.expected("dequant").dtype)

