"""halfbyte.h read as text: its numbers and the ctypes signature of every function, so that nothing is written down twice."""
import ctypes as c
import re
from pathlib import Path

HEADER = Path(__file__).resolve().parents[3] / "native" / "include" / "halfbyte.h"

SCALARS = {
    "void": None, "float": c.c_float, "int32_t": c.c_int32, "uint32_t": c.c_uint32, "int64_t": c.c_int64, "uint64_t": c.c_uint64,
    "hb_status": c.c_int32, "hb_dtype": c.c_int32, "hb_profile": c.c_int32, "hb_format": c.c_int32, "hb_accuracy": c.c_int32,
    "hb_optimizer": c.c_int32,
}  # fmt: skip


class Step(c.Structure):
    """hb_step."""

    _fields_ = [
        *[(name, c.c_double) for name in ("lr", "beta1", "beta2", "beta3", "alpha", "eps", "weight_decay", "grad_scale", "max_unorm")],
        ("step", c.c_int64),
        ("skip_zeros", c.c_int32),
    ]


def text():
    return re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.S)


def constants():
    """HB_OK, HB_FLOAT32 …"""
    return {name: int(value) for name, value in re.findall(r"#define (HB_\w+) (\d+)\b", text())}


def functions():
    """Name → (result, arguments)."""
    declared = re.findall(r"HB_(?:API|OPTIONAL) ([\w *]+?)(hb_\w+)\(([^)]*)\);", text())
    return {name: (ctype(result), arguments(listed)) for result, name, listed in declared}


def arguments(listed):
    return [] if listed.strip() == "void" else [ctype(one.rsplit(None, 1)[0] + "*" * one.count("*")) for one in listed.split(",")]


def ctype(written):
    if "*" not in written:
        return SCALARS[written.replace("const", "").strip()]
    return c.c_char_p if re.match(r"const char\b", written.strip()) else c.c_void_p
