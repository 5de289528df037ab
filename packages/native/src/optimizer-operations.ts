/** Optimizer updates as calls of the C ABI. */
import type { Optimizer, Step } from "@halfbyte/core";
import { optimizerNumbers } from "./abi.js";
import type { NativeStep } from "./functions.js";
import { pointerOf, pointerOrNull } from "./native-storage.js";
import { dtypeOf, type NativeOperation, profileOf, refuseCpuProfile } from "./operation.js";

const nativeStep = (step: Step): NativeStep => ({
  lr: step.lr,
  beta1: step.beta1,
  beta2: step.beta2,
  beta3: step.beta3,
  alpha: step.alpha,
  eps: step.eps,
  weight_decay: step.weightDecay,
  grad_scale: step.gradScale,
  max_unorm: step.maxUnorm,
  step: step.step,
  skip_zeros: step.skipZeros ? 1 : 0,
});

/** Whether maxUnorm scales an optimizer: no path of upstream scales these two (core: reference/optimizer-rule.ts). */
const isTrusted = (optimizer: Optimizer): boolean => optimizer !== "ademamix" && optimizer !== "adagrad";

export const optimizerUpdate32bit: NativeOperation<"optimizerUpdate32bit"> = {
  name: "optimizer_update_32bit",
  refuse: refuseCpuProfile,
  launch(device, { optimizer, param, grad, state1, state2, step, profile }, { updateNorm }) {
    device.queue.enqueue(
      "hb_optimizer_update_32bit",
      optimizerNumbers[optimizer],
      pointerOf(param),
      pointerOf(grad),
      dtypeOf(param),
      dtypeOf(grad),
      pointerOf(state1),
      pointerOrNull(state2),
      param.size,
      nativeStep(step),
      profileOf(profile),
      isTrusted(optimizer) ? 1 : 0,
      pointerOf(updateNorm),
    );
    return undefined;
  },
};

export const optimizerUpdate8bitBlockwise: NativeOperation<"optimizerUpdate8bitBlockwise"> = {
  name: "optimizer_update_8bit_blockwise",
  refuse: refuseCpuProfile,
  launch(device, args) {
    const { optimizer, param, grad, state1, state2, code1, code2, absmax1, absmax2, blockSize, step, profile } = args;
    device.queue.enqueue(
      "hb_optimizer_update_8bit_blockwise",
      optimizerNumbers[optimizer],
      pointerOf(param),
      pointerOf(grad),
      dtypeOf(param),
      dtypeOf(grad),
      pointerOf(state1),
      pointerOrNull(state2),
      pointerOf(code1),
      pointerOrNull(code2),
      pointerOf(absmax1),
      pointerOrNull(absmax2),
      param.size,
      blockSize,
      nativeStep(step),
      profileOf(profile),
    );
    return undefined;
  },
};
