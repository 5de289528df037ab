/** optimizerUpdate32bit and optimizerUpdate8bitBlockwise: the only operations that write to their arguments. */
import { halfbyteError } from "../errors.js";
import { blockCount } from "../formats/format.js";
import type { Optimizer, Profile, Step } from "../kernels.js";
import { optimizerStates } from "../reference/optimizer-rule.js";
import type { Float, Tensor } from "../tensor.js";
import {
  expectBlockSize,
  expectNumber,
  expectOneOf,
  expectShape,
  expectSize,
  expectTensor,
  type Operation,
  present,
  profiles,
} from "./operation.js";

interface Update {
  readonly optimizer: Optimizer;
  readonly param: Tensor<Float>;
  readonly grad: Tensor<Float>;
  readonly step: Step;
  readonly profile?: Profile;
}

function expectUpdate({ optimizer, param, grad, step, profile = "reference" }: Update): void {
  expectOneOf("optimizer", optimizer, Object.keys(optimizerStates) as Optimizer[]);
  expectOneOf("profile", profile, profiles);
  expectTensor("param", param);
  expectTensor("grad", grad);
  expectShape("grad", grad.shape, param.shape);
  expectStep(step);
}

function expectStep(step: Step): void {
  if (typeof step !== "object" || step === null) throw halfbyteError("INVALID_ARGUMENT", "step is missing.");
  if (!Number.isSafeInteger(step.step) || step.step < 1)
    throw halfbyteError("INVALID_ARGUMENT", `step.step is ${String(step.step)}, expected a whole number from 1 on.`);
  for (const name of ["lr", "beta1", "beta2", "beta3", "alpha", "eps", "weightDecay", "gradScale", "maxUnorm"] as const)
    expectNumber(`step.${name}`, step[name]);
}

/** state2 belongs to two-state optimizers, and to no other. */
function expectSecondState(optimizer: Optimizer, name: string, value: unknown): void {
  const wanted = optimizerStates[optimizer].twoStates;
  if (wanted === (value !== undefined)) return;
  throw halfbyteError("INVALID_ARGUMENT", `${optimizer} ${wanted ? "needs" : "takes no"} ${name}.`, {
    details: { tensor: name },
  });
}

/** Elements of state1: twice the parameter's for AdEMAMix, which stacks two moments. */
const stackedBy = (optimizer: Optimizer): number => (optimizerStates[optimizer].stacked ? 2 : 1);

export const optimizerUpdate32bit: Operation<"optimizerUpdate32bit"> = {
  plan(args) {
    expectUpdate(args);
    const { optimizer, param, grad, state1, state2 } = args;
    expectTensor("state1", state1, ["float32"]);
    expectSize("state1", state1.size, param.size * stackedBy(optimizer));
    expectSecondState(optimizer, "state2", state2);
    if (state2) {
      expectTensor("state2", state2, ["float32"]);
      expectSize("state2", state2.size, param.size);
    }
    return {
      inputs: [grad],
      inout: present<Tensor>([param, state1, state2]),
      outputs: { updateNorm: { dtype: "float32", shape: [1] } },
    };
  },
};

export const optimizerUpdate8bitBlockwise: Operation<"optimizerUpdate8bitBlockwise"> = {
  plan(args) {
    expectUpdate(args);
    const { optimizer, param, grad, blockSize, state2, code2, absmax2 } = args;
    expectBlockSize(blockSize, false);
    expectState("1", args.state1, args.code1, args.absmax1, param.size, stackedBy(optimizer), blockSize);
    for (const [name, value] of Object.entries({ state2, code2, absmax2 })) expectSecondState(optimizer, name, value);
    if (state2 && code2 && absmax2) expectState("2", state2, code2, absmax2, param.size, 1, blockSize);
    return {
      inputs: present([grad, args.code1, code2]),
      inout: present<Tensor>([param, args.state1, args.absmax1, state2, absmax2]),
      outputs: {},
    };
  },
};

function expectState(
  suffix: string,
  state: Tensor<"uint8">,
  code: Tensor<"float32">,
  absmax: Tensor<"float32">,
  size: number,
  stacked: number,
  blockSize: number,
): void {
  expectTensor(`state${suffix}`, state, ["uint8"]);
  expectSize(`state${suffix}`, state.size, size * stacked);
  expectTensor(`code${suffix}`, code, ["float32"]);
  expectSize(`code${suffix}`, code.size, 256);
  expectTensor(`absmax${suffix}`, absmax, ["float32"]);
  expectSize(`absmax${suffix}`, absmax.size, blockCount(size, blockSize) * stacked);
}
