"""The update rules of the optimizers in float32, sums of a product fused where upstream fuses them. Of 8-bit states."""
import numpy as np

from .rules import dequantize_blockwise, quantize_blockwise

f32 = np.float32


def fma(a, b, c):
    """Products of two float32 are exact in float64; the sum is rounded twice, which moves a code at a threshold at most."""
    return (np.float64(a) * np.float64(b) + np.float64(c)).astype(f32)


def blend(mean, beta, x):
    return fma(x, f32(1 - beta), mean * f32(beta))


def blend_square(mean, beta, x):
    return fma(f32(1 - beta) * x, x, mean * f32(beta))


def coupled(g, p, step):
    return fma(p, f32(step.weight_decay), g) if step.weight_decay else g


def adam(g, p, states, step):
    return [blend(states[0], step.beta1, g), blend_square(states[1], step.beta2, g)]


def ademamix(g, p, states, step):
    fast, slow, second = states
    return [blend(fast, step.beta1, g), blend(slow, step.beta3, g), blend_square(second, step.beta2, g)]


def momentum(g, p, states, step):
    g = coupled(g, p, step)
    return [g if step.step == 1 else states[0] * f32(step.beta1) + g]


def lion(g, p, states, step):
    return [blend(states[0], step.beta2, g)]


def rmsprop(g, p, states, step):
    return [blend_square(states[0], step.beta1, coupled(g, p, step))]


def adagrad(g, p, states, step):
    g = coupled(g, p, step)
    return [fma(g, g, states[0])]


STATES_AFTER = {
    "adam": adam, "adamw": adam, "lamb": adam, "ademamix": ademamix, "momentum": momentum, "lars": momentum,
    "lion": lion, "rmsprop": rmsprop, "adagrad": adagrad,
}  # fmt: skip


def codes_after(optimizer, g, p, coded, step, block_size):
    """coded: (codes, absmax, map) of every state, slow moments after fast ones. Codes of each after the step."""
    before = [dequantize_blockwise(codes, absmax, code, block_size) for codes, absmax, code in coded]
    after = STATES_AFTER[optimizer](g, p, before, step)
    return [quantize_blockwise(state, code, block_size)[0].data for state, (_, _, code) in zip(after, coded)]
