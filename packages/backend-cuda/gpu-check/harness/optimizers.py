"""optim.*: every step runs from the vector's previous state, so that an error shows in the step that makes it."""
import math

import numpy as np

from . import compare, operations
from .header import Step
from .numbers import elements, widen
from .optimizer_rules import codes_after


def optimizer(case, library, tables):
    for step in range(1, case.params["steps"] + 1):
        yield from (step_8bit if case.has("qmap1") else step_32bit)(case, library, step)


def before(case, name, step):
    """A tensor as the vector holds it after the previous step; states start as zeros."""
    if name == "param":
        return case.input("p0") if step == 1 else case.expected(f"p{step - 1}")
    after = case.expected(f"{name}.{step}")
    return elements(after.dtype, np.zeros_like(after.data), after.shape) if step == 1 else case.expected(f"{name}.{step - 1}")


def tensors_before(case, names, step):
    kept = [name for name in names if name == "param" or case.wants(f"{name}.{step}")]
    return {name: before(case, name, step) for name in kept}


def step_32bit(case, library, step):
    tensors = tensors_before(case, ("param", "state1", "state2"), step)
    given = (case.params["optimizer"], tensors, case.input(f"grad{step}"), step_of(case, step))
    updated, norm = operations.optimizer_32bit(library, *given)
    yield parameter(case, updated, step)
    for name in tensors.keys() - {"param"}:
        yield f"{name}.{step}", compare.close(case.expected(f"{name}.{step}"), updated.read(name), 1e-5, 1e-12)
    # Measured where it bounds the step, else 0.
    wanted = case.expected(f"unorm_vec.{step}") if case.wants(f"unorm_vec.{step}") else elements("float32", [0])
    yield f"unorm_vec.{step}", compare.close(wanted, norm, 1e-5, 1e-12)


def parameter(case, updated, step):
    expected, found = case.expected(f"p{step}"), updated.read("param")
    is_wide = expected.dtype == "float32"
    return f"p{step}", compare.close(expected, found, 1e-5, 1e-6) if is_wide else compare.in_ulps(expected, found, 1)


def step_8bit(case, library, step):
    tensors = tensors_before(case, ("param", "state1", "state2", "absmax1", "absmax2"), step)
    codes = tuple(case.input(name) if case.has(name) else None for name in ("qmap1", "qmap2"))
    given = (case.params["optimizer"], tensors, case.input(f"grad{step}"), codes, case.params["blocksize"], step_of(case, step))
    updated = operations.optimizer_8bit(library, *given)
    yield parameter(case, updated, step)
    for name in ("absmax1", "absmax2"):
        if name in tensors:
            yield f"{name}.{step}", compare.close(case.expected(f"{name}.{step}"), updated.read(name), 1e-5, 1e-12)
    for name, expected in expected_codes(*given).items():
        yield f"{name}.{step}", compare.in_codes(expected, updated.read(name))
    if case.wants(f"unorm_vec.{step}"):
        # Upstream keeps the update norm of LAMB and LARS at zero in 8 bit: there is no trust ratio and no output for it.
        yield f"unorm_vec.{step}", compare.in_bits(case.expected(f"unorm_vec.{step}"), elements("float32", [0]))


def expected_codes(name, tensors, grad, codes, block_size, step):
    """Codes by the rules, from the same state. AdEMAMix stacks two moments in state1."""
    coded = [
        (half, absmax, code.data)
        for state, scales, code in (("state1", "absmax1", codes[0]), ("state2", "absmax2", codes[1]))
        if state in tensors
        for half, absmax in halves(tensors[state], tensors[scales], grad.data.size)
    ]
    after = codes_after(name, widen(grad), widen(tensors["param"]), coded, step, block_size)
    stacked = {"state1": np.concatenate(after[: len(after) - ("state2" in tensors)])}
    if "state2" in tensors:
        stacked["state2"] = after[-1]
    return {state: elements("uint8", found) for state, found in stacked.items()}


def halves(state, absmax, size):
    parts = state.data.size // size
    return zip(np.split(state.data, parts), np.split(absmax.data, parts))


def step_of(case, step):
    """The parameter group of the case at one step; what the group does not have is off."""
    group = case.params["group"]
    beta1, beta2, beta3 = [*group["betas"], 0, 0, 0][:3]
    alpha, beta3 = scheduled(group, step, beta1, beta3)
    decay, bound = group.get("weight_decay") or 0, case.params.get("max_unorm") or 0
    return Step(group["lr"], beta1, beta2, beta3, alpha, group.get("eps") or 0, decay, 1, bound, step, 0)


def scheduled(group, step, beta1, beta3):
    """AdEMAMix (arXiv 2409.03137): alpha grows linearly, beta3 by the logarithm of its half-life."""
    alpha, t_alpha, t_beta3 = (group.get(name) for name in ("alpha", "t_alpha", "t_beta3"))
    alpha = alpha or 0
    if t_alpha:
        alpha = min(step * alpha / t_alpha, alpha)
    if t_beta3:
        ln1, ln3, share = math.log(beta1), math.log(beta3), step / t_beta3
        beta3 = min(math.exp(ln1 * ln3 / ((1 - share) * ln3 + share * ln1)), beta3)
    return alpha, beta3
