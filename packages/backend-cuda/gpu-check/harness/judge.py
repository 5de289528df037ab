"""Which judge an operation of the side-cars has, and what a case came to. Nothing is skipped in silence."""
from . import four_bit, int8, optimizers, products
from .library import Failed, Unsupported

JUDGES = {
    "quantize_4bit": four_bit.quantize_4bit, "dequantize_4bit": four_bit.dequantize_4bit, "quantize_blockwise": four_bit.quantize_blockwise,
    "matmul_4bit": products.matmul_4bit, "gemv_4bit_cpu_packed": products.gemv_packed, "Linear4bit.forward": products.linear_4bit,
    "int8_vectorwise_quant": int8.vectorwise_quant, "int8_linear_matmul": int8.linear_matmul, "int8_mm_dequant": int8.mm_dequant,
    "int8_scaled_mm": int8.scaled_mm, "int8_mixed_scaled_mm": int8.mixed_scaled_mm, "Linear8bitLt.forward": int8.linear_8bit,
}  # fmt: skip

# Tables that JavaScript makes: no library has a part in them.
OF_THE_HOST = ("create_dynamic_map", "create_linear_map", "create_fp8_map", "create_normal_map", "get_4bit_type", "quantize_4bit_bounds")
# Upstream's internal layouts, and its native kernel's own results where they differ from the pure ones.
NEVER_JUDGED = {"dequant_native", "packed_cpu", "absmax_bf16_t"}


def judge_of(op):
    return optimizers.optimizer if op.startswith("optim.") else JUDGES.get(op)


def outcome_of(case, library, tables):
    """("passed" | "failed" | "unsupported", what was found)."""
    judge = judge_of(case.op)
    if judge is None:
        return "failed", said(f"operation {case.op} has no judge")
    return settled(library, lambda: first_failure(judge, case, library, tables))


def settled(library, find_failure):
    try:
        failure = find_failure()
    except Unsupported as missing:
        return "unsupported", said(str(missing))
    except Failed as error:
        return "failed", said(str(error))
    finally:
        library.release()
    return ("failed", failure) if failure else ("passed", None)


def first_failure(judge, case, library, tables):
    judged = set()
    for output, difference in judge(case, library, tables):
        judged.add(output)
        if difference:
            return {"output": output, **difference}
    missed = set(case.record["outputs"]) - judged - NEVER_JUDGED
    return {**said("an output that no judge knows"), "output": min(missed)} if missed else None


def said(found):
    return {"output": "", "index": -1, "expected": "a result", "found": found, "bound": "equal"}
