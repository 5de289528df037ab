// The update rules of core's reference/optimizer-rule.ts, element by element, in f32: products and sums are rounded where the reference rounds
// them. Decisions look at bit patterns, because a device may assume that there is no NaN and no infinity. Needs float32.wgsl.

// Adam, AdamW and LAMB are 0, AdEMAMix is 1. Those with one state, 2, differ by little: one kernel runs them all, `params.one_state` says which.
override rule: u32;

struct Params {
  // Of the slice.
  size: u32,
  // Momentum and LARS are 0, Lion 1, RMSprop 2, Adagrad 3.
  one_state: u32,
  // float32 is 0, float16 1, bfloat16 2.
  param_type: u32,
  grad_type: u32,
  skips_zeros: u32,
  // Momentum starts from the gradient itself.
  is_first_step: u32,
  decays_after: u32,
  is_cuda: u32,
  // Where the gradient is NaN or infinite, 8-bit states become zero and the parameter stays.
  clears_non_finite: u32,
  // What compilers do not know to be zero.
  zero: u32,
  // fma(probe, probe, -probe_rounded) is zero where fma rounds the product, too.
  probe: f32,
  probe_rounded: f32,
  grad_scale: f32,
  beta1: f32,
  one_minus_beta1: f32,
  beta2: f32,
  one_minus_beta2: f32,
  beta3: f32,
  one_minus_beta3: f32,
  alpha: f32,
  correction1: f32,
  correction2: f32,
  eps: f32,
  // Weight decay that is added to the gradient, and the factor of the one that is not.
  coupled_decay: f32,
  decay: f32,
  rate: f32,
  // The rest is for one kernel or another.
  uses_trust: u32,
  clears_norm: u32,
  // What a direction lacks of the one whose norm counts.
  norm_factor: f32,
  workgroups: u32,
  first_partial: u32,
  block_size: u32,
  // Where the absmax of the first block stand.
  first_block: u32,
  first_slow_block: u32,
  tiles: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

struct Element {
  p: f32,
  // The gradient, scaled.
  g: f32,
  // First moment, momentum or squared sum.
  s1: f32,
  // Slow moment of AdEMAMix.
  slow: f32,
  // Second moment.
  s2: f32,
}

fn is_finite(bits: u32) -> bool {
  return (bits & ~SIGN) < INFINITY;
}

fn is_zero(bits: u32) -> bool {
  return (bits << 1u) == 0u;
}

// The value, rounded: nothing is fused or reassociated across this.
fn opaque(value: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(value) ^ params.zero);
}

// x * w + c, rounded once. Devices whose fma rounds twice lose what is left of a moment where its parts cancel: there the product is made of halves
// of 12 bits, whose products are exact, and what their sum loses is added at the end.
fn fused(x: f32, w: f32, c: f32) -> f32 {
  let direct = fma(x, w, c);
  if (fma(params.probe, params.probe, -params.probe_rounded) != 0.0 || !is_finite(bitcast<u32>(direct))) { return direct; }
  let x_high = upper_half(x);
  let w_high = upper_half(w);
  let x_low = x - x_high;
  let w_low = w - w_high;
  let product = opaque(x_high * w_high);
  let total = opaque(product + c);
  let addend = opaque(total - product);
  let lost = (product - opaque(total - addend)) + (c - addend);
  return total + (lost + ((x_high * w_low + x_low * w_high) + x_low * w_low));
}

fn upper_half(value: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(value) & 0xfffff000u);
}

// A running mean, and one of squares.
fn blend(mean: f32, beta: f32, x: f32, one_minus: f32) -> f32 {
  return fused(x, one_minus, opaque(mean * beta));
}

fn blend_square(mean: f32, beta: f32, x: f32, one_minus: f32) -> f32 {
  return fused(opaque(one_minus * x), x, opaque(mean * beta));
}

// -1, 1, or the value where it is zero or NaN.
fn sign_of(value: f32) -> f32 {
  let bits = bitcast<u32>(value);
  if (is_zero(bits) || is_nan(bits)) { return value; }
  return bitcast<f32>((bits & SIGN) | ONE);
}

// The gradient plus the decay of the parameter.
fn coupled(e: Element) -> f32 {
  if (params.coupled_decay == 0.0) { return e.g; }
  return fused(e.p, params.coupled_decay, e.g);
}

// Updates the states; gives the direction that the parameter moves against.
fn update_states(e: ptr<function, Element>) -> f32 {
  if (rule == 0u) { return adam(e); }
  if (rule == 1u) { return ademamix(e); }
  switch (params.one_state) {
    case 0u: { return momentum(e); }
    case 1u: { return lion(e); }
    case 2u: { return rmsprop(e); }
    default: { return adagrad(e); }
  }
}

fn adam(e: ptr<function, Element>) -> f32 {
  (*e).s1 = blend((*e).s1, params.beta1, (*e).g, params.one_minus_beta1);
  (*e).s2 = blend_square((*e).s2, params.beta2, (*e).g, params.one_minus_beta2);
  return (*e).s1 / (sqrt((*e).s2) + params.eps);
}

fn ademamix(e: ptr<function, Element>) -> f32 {
  (*e).s1 = blend((*e).s1, params.beta1, (*e).g, params.one_minus_beta1);
  (*e).slow = blend((*e).slow, params.beta3, (*e).g, params.one_minus_beta3);
  (*e).s2 = blend_square((*e).s2, params.beta2, (*e).g, params.one_minus_beta2);
  let numerator = fma(params.alpha, (*e).slow, (*e).s1 / params.correction1);
  return numerator / (sqrt((*e).s2) / params.correction2 + params.eps);
}

fn momentum(e: ptr<function, Element>) -> f32 {
  let g = coupled(*e);
  if (params.is_first_step != 0u) {
    (*e).s1 = g;
  } else {
    (*e).s1 = opaque((*e).s1 * params.beta1) + g;
  }
  return (*e).s1;
}

fn lion(e: ptr<function, Element>) -> f32 {
  let direction = sign_of(blend((*e).s1, params.beta1, (*e).g, params.one_minus_beta1));
  (*e).s1 = blend((*e).s1, params.beta2, (*e).g, params.one_minus_beta2);
  return direction;
}

fn rmsprop(e: ptr<function, Element>) -> f32 {
  let g = coupled(*e);
  (*e).s1 = blend_square((*e).s1, params.beta1, g, params.one_minus_beta1);
  return g / (sqrt((*e).s1) + params.eps);
}

fn adagrad(e: ptr<function, Element>) -> f32 {
  let g = coupled(*e);
  (*e).s1 = fused(g, g, (*e).s1);
  return g / (sqrt((*e).s1) + params.eps);
}

// Decay, then p -= rate * direction; under profile `cuda` the other way round.
fn moved(p: f32, direction: f32, rate: f32) -> f32 {
  if (params.decays_after != 0u) { return opaque(fma(-rate, direction, p)) * params.decay; }
  return fma(-rate, direction, opaque(p * params.decay));
}

// One step; where the gradient is NaN nothing else is left of the element.
fn advance(e: ptr<function, Element>, rate: f32) {
  let direction = update_states(e);
  (*e).p = moved((*e).p, direction, rate);
}
