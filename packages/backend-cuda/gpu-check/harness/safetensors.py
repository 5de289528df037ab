"""A safetensors file as Elements by name: eight bytes of length, a JSON header, the bytes."""
import json

import numpy as np

from .numbers import STORAGE, Elements

NAMES = {
    "F64": "float64", "I64": "int64", "F32": "float32", "I32": "int32",
    "F16": "float16", "BF16": "bfloat16", "I8": "int8", "U8": "uint8",
}  # fmt: skip


def read(path):
    with open(path, "rb") as file:
        content = file.read()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    return {name: tensor(entry, content, 8 + length) for name, entry in header.items()}


def tensor(entry, content, start):
    dtype = NAMES[entry["dtype"]]
    begin, end = entry["data_offsets"]
    data = np.frombuffer(content, dtype=STORAGE[dtype], offset=start + begin, count=(end - begin) // STORAGE[dtype]().itemsize)
    return Elements(dtype, tuple(entry["shape"]), data)
