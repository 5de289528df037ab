"""Elements as the vectors and the library hold them: bfloat16 is its 16 bits, which numpy has no type for."""
from typing import NamedTuple

import numpy as np

F32, F16, BF16 = "float32", "float16", "bfloat16"
FLOATS = (F32, F16, BF16)

STORAGE = {
    F32: np.float32, F16: np.float16, BF16: np.uint16, "float64": np.float64,
    "uint8": np.uint8, "int8": np.int8, "int32": np.int32, "int64": np.int64,
}  # fmt: skip

# u: half the distance from 1 to the next number.
ROUNDOFF = {F32: 2.0**-24, F16: 2.0**-11, BF16: 2.0**-8}


class Elements(NamedTuple):
    dtype: str
    shape: tuple
    data: np.ndarray  # flat, of STORAGE[dtype]


def elements(dtype, data, shape=None):
    flat = np.ascontiguousarray(data, dtype=STORAGE[dtype]).reshape(-1)
    return Elements(dtype, shape or (flat.size,), flat)


def widen(stored):
    """float32 of every element, exactly."""
    if stored.dtype == BF16:
        return (stored.data.astype(np.uint32) << 16).view(np.float32)
    with np.errstate(invalid="ignore"):
        return stored.data.astype(np.float32)


def numbers(stored):
    """float64 of every element, exactly."""
    with np.errstate(invalid="ignore"):
        return (widen(stored) if stored.dtype in FLOATS else stored.data).astype(np.float64)


def narrow(dtype, values):
    """float32 values rounded to a dtype, ties to even."""
    values = np.asarray(values, dtype=np.float32).reshape(-1)
    if dtype != BF16:
        with np.errstate(over="ignore"):
            return elements(dtype, values)
    bits = values.view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    quiet = (bits >> 16) | 0x40
    return elements(BF16, np.where(np.isnan(values), quiet, rounded).astype(np.uint16))


def cast(stored, dtype):
    return stored if stored.dtype == dtype else narrow(dtype, widen(stored))._replace(shape=stored.shape)


def ranks(stored):
    """Position of a float among all numbers of its dtype; both zeros are 0. NaN has none: callers look first."""
    width = stored.data.dtype.itemsize
    bits = stored.data.view({2: np.uint16, 4: np.uint32}[width]).astype(np.int64)
    sign = 1 << (8 * width - 1)
    return np.where(bits & sign, -(bits & (sign - 1)), bits)


def last(shape):
    return shape[-1] if shape else 1


def rows(shape):
    return int(np.prod(shape[:-1], dtype=np.int64))
