/** Every operation as one call of the C ABI: which function, when not, and how its arguments are handed over. */
import {
  type Accuracy,
  type Float,
  getFormat,
  type OpName,
  type Ops,
  type Optimizer,
  type Profile,
  type QuantizedTensor,
  type Shape,
  type Step,
  type Tensor,
} from "@halfbyte/core";
import { accuracyNumbers, dtypeNumbers, formatNumbers, optimizerNumbers, profileNumbers } from "./abi.js";
import type { NativeStep, Pointer } from "./functions.js";
import type { NativeDevice } from "./native-device.js";
import { pointerOf, pointerOrNull } from "./native-storage.js";

interface NativeOperation<K extends OpName> {
  /** Of the C function, without hb_. */
  readonly name: string;
  /** The name under which the library states the variant, when it is not `name`. */
  variant?(args: Ops[K]["in"]): string;
  /** What else tells variants apart. */
  traits?(args: Ops[K]["in"], device: NativeDevice): readonly string[];
  /** Why the library cannot run these arguments; looks at shapes, dtypes and options alone. */
  refuse?(args: Ops[K]["in"], device: NativeDevice): string | undefined;
  launch(device: NativeDevice, args: Ops[K]["in"], out: Ops[K]["out"]): undefined | (() => Promise<void>);
}

const dtypeOf = (tensor: Tensor<Float>): number => dtypeNumbers[tensor.dtype];
/** Of a bias that is not there: no kernel looks at it. */
const biasDtype = (bias: Tensor<Float> | undefined): number => (bias ? dtypeOf(bias) : dtypeNumbers.float32);

const profileOf = (profile: Profile = "reference"): number => profileNumbers[profile as Exclude<Profile, "cpu">];

const refuseCpuProfile = ({ profile }: { readonly profile?: Profile }): string | undefined =>
  profile === "cpu" ? 'profile "cpu" exists in the reference kernels only.' : undefined;

const lastOf = (shape: Shape): number => shape[shape.length - 1] ?? 1;
const rowsOf = (shape: Shape): number => shape.slice(0, -1).reduce((product, dimension) => product * dimension, 1);

const quantize4bit: NativeOperation<"quantize4bit"> = {
  name: "quantize_4bit",
  refuse: (args) => refuseCpuProfile(args) ?? refuseForeignRule(args),
  launch: (device, { x, format, blockSize, profile, nonFinite }, { codes, absmax }) =>
    device.watched(nonFinite, (fault) =>
      device.queue.enqueue(
        "hb_quantize_4bit",
        pointerOf(x),
        dtypeOf(x),
        x.size,
        getFormat(format).code,
        formatNumber(format),
        blockSize,
        profileOf(profile),
        pointerOf(codes),
        pointerOf(absmax),
        fault,
      ),
    ),
};

const formatNumber = (name: string): number =>
  name === "nf4" || name === "fp4" ? formatNumbers[name] : formatNumbers.table;

/** The library knows the rules of fp4; others under profile cuda follow from the table. */
function refuseForeignRule({ format, profile }: Ops["quantize4bit"]["in"]): string | undefined {
  if (profile !== "cuda" || format === "fp4" || !getFormat(format).cuda) return undefined;
  return `the library does not know the rule of "${format}" under profile "cuda".`;
}

/** Block sizes of 4-bit weights are 32-bit numbers in C. */
const largestBlockSize = 2 ** 32 - 1;

function refuseWeight({ scales, blockSize }: QuantizedTensor): string | undefined {
  if (scales.kind === "nested") return "nested scales are decoded by an operation of their own.";
  return blockSize > largestBlockSize ? `block size ${blockSize} is beyond ${largestBlockSize}.` : undefined;
}

/** Codes, scales and table of a 4-bit weight with plain scales. */
const weightPointers = (device: NativeDevice, weight: QuantizedTensor) =>
  [pointerOf(weight.codes), pointerOf(weight.scales.absmax), codePointer(device, weight)] as const;

const dequantize4bit: NativeOperation<"dequantize4bit"> = {
  name: "dequantize_4bit",
  refuse: ({ weight }) => refuseWeight(weight),
  launch(device, { weight, dtype }, { out }) {
    const [codes, absmax, code] = weightPointers(device, weight);
    device.queue.enqueue(
      "hb_dequantize_4bit",
      codes,
      absmax,
      code,
      out.size,
      weight.blockSize,
      pointerOf(out),
      dtypeNumbers[dtype],
    );
    return undefined;
  },
};

const quantizeBlockwise: NativeOperation<"quantizeBlockwise"> = {
  name: "quantize_blockwise",
  refuse: refuseCpuProfile,
  launch: (device, { x, code, blockSize, profile, nonFinite }, { codes, absmax }) =>
    device.watched(nonFinite, (fault) =>
      device.queue.enqueue(
        "hb_quantize_blockwise",
        pointerOf(x),
        dtypeOf(x),
        x.size,
        pointerOf(code),
        blockSize,
        profileOf(profile),
        pointerOf(codes),
        pointerOf(absmax),
        fault,
      ),
    ),
};

const dequantizeBlockwise: NativeOperation<"dequantizeBlockwise"> = {
  name: "dequantize_blockwise",
  launch(device, { codes, absmax, code, blockSize, offset = 0, dtype }, { out }) {
    device.queue.enqueue(
      "hb_dequantize_blockwise",
      pointerOf(codes),
      pointerOf(absmax),
      pointerOf(code),
      out.size,
      blockSize,
      offset,
      pointerOf(out),
      dtypeNumbers[dtype],
    );
    return undefined;
  },
};

/** exact for f32; 16-bit inputs are rounded more coarsely than 16-bit integers are. */
const accuracyOf = ({ x, accuracy }: Ops["gemm4bit"]["in"]): Accuracy =>
  accuracy ?? (x.dtype === "float32" ? "exact" : "fast");

const gemm4bit: NativeOperation<"gemm4bit"> = {
  name: "gemm_4bit",
  traits: (args, device) => (device.packedBytes4bit(args.weight) > 0 ? ["packed", accuracyOf(args)] : []),
  refuse({ weight, transpose }, device) {
    if (transpose) return "a transposed 4-bit product is composed of dequantize4bit and gemm.";
    return device.packedBytes4bit(weight) > 0 ? undefined : refuseWeight(weight);
  },
  launch(device, args, { out }) {
    const { x, weight, bias } = args;
    const [n, k] = weight.shape as readonly [number, number];
    const packed = packedWeight(device, weight);
    const multiply = (absmax: Pointer | null) =>
      device.queue.enqueue(
        "hb_gemm_4bit",
        pointerOf(x),
        dtypeOf(x),
        pointerOf(weight.codes),
        absmax,
        packed,
        codePointer(device, weight),
        weight.blockSize,
        accuracyNumbers[accuracyOf(args)],
        pointerOrNull(bias),
        biasDtype(bias),
        rowsOf(x.shape),
        n,
        k,
        pointerOf(out),
      );
    if (packed === null) withBlockScales(device, weight, multiply);
    else multiply(null);
    return undefined;
  },
};

const codePointer = (device: NativeDevice, { code, format }: QuantizedTensor): Pointer =>
  code ? pointerOf(code) : device.table(format);

/** The packed copy of a 4-bit weight; null when the device keeps none. */
function packedWeight(device: NativeDevice, weight: QuantizedTensor): Pointer | null {
  const byteLength = device.packedBytes4bit(weight);
  if (byteLength === 0) return null;
  const { codes, scales, blockSize, shape } = weight;
  const [n, k] = shape as readonly [number, number];
  const nested = scales.kind === "nested" ? [scales.nestedAbsmax, scales.nestedCode] : [];
  return device.packed.get({
    sources: [codes, scales.absmax, ...nested].map(pointerOf),
    layout: [n, k, blockSize, ...(scales.kind === "nested" ? [scales.nestedBlockSize, scales.offset] : [])].join(),
    byteLength,
    pack: (packed) =>
      withBlockScales(device, weight, (absmax) =>
        device.queue.enqueue("hb_pack_4bit", pointerOf(codes), absmax, blockSize, n, k, packed),
      ),
  });
}

/** f32 block scales: the weight's own, or decoded for the time of `use`. */
function withBlockScales(device: NativeDevice, { scales }: QuantizedTensor, use: (absmax: Pointer) => void): void {
  if (scales.kind !== "nested") {
    use(pointerOf(scales.absmax));
    return;
  }
  const { absmax: codes, nestedAbsmax, nestedCode, nestedBlockSize, offset } = scales;
  device.withScratch(codes.size * Float32Array.BYTES_PER_ELEMENT, (absmax) => {
    const source = [pointerOf(codes), pointerOf(nestedAbsmax), pointerOf(nestedCode)] as const;
    const { float32 } = dtypeNumbers;
    device.queue.enqueue("hb_dequantize_blockwise", ...source, codes.size, nestedBlockSize, offset, absmax, float32);
    use(absmax);
  });
}

const gemm: NativeOperation<"gemm"> = {
  name: "gemm",
  variant: ({ transpose }) => (transpose ? "gemm_transposed" : "gemm"),
  launch(device, { x, weight, bias, transpose }, { out }) {
    const [n, k] = weight.shape as readonly [number, number];
    device.queue.enqueue(
      "hb_gemm",
      pointerOf(x),
      dtypeOf(x),
      pointerOf(weight),
      dtypeOf(weight),
      pointerOrNull(bias),
      biasDtype(bias),
      rowsOf(x.shape),
      n,
      k,
      transpose ? 1 : 0,
      pointerOf(out),
    );
    return undefined;
  },
};

const int8VectorwiseQuant: NativeOperation<"int8VectorwiseQuant"> = {
  name: "int8_vectorwise_quant",
  launch: (device, { x, threshold, nonFinite }, { q, rowStats, outlierColumns }) =>
    device.watched(nonFinite, (fault) =>
      device.queue.enqueue(
        "hb_int8_vectorwise_quant",
        pointerOf(x),
        dtypeOf(x),
        rowsOf(x.shape),
        lastOf(x.shape),
        threshold,
        pointerOf(q),
        pointerOf(rowStats),
        pointerOf(outlierColumns),
        fault,
      ),
    ),
};

const int8VectorwiseDequant: NativeOperation<"int8VectorwiseDequant"> = {
  name: "int8_vectorwise_dequant",
  launch(device, { q, rowStats }, { out }) {
    const [rows, k] = [rowsOf(q.shape), lastOf(q.shape)];
    device.queue.enqueue("hb_int8_vectorwise_dequant", pointerOf(q), pointerOf(rowStats), rows, k, pointerOf(out));
    return undefined;
  },
};

const int8LinearMatmul: NativeOperation<"int8LinearMatmul"> = {
  name: "int8_linear_matmul",
  launch(device, { a, b }, { out }) {
    const [n, k] = b.shape as readonly [number, number];
    const packed = packedInt8(device, b);
    const m = rowsOf(a.shape);
    device.queue.enqueue("hb_int8_linear_matmul", pointerOf(a), pointerOf(b), packed, m, n, k, pointerOf(out));
    return undefined;
  },
};

/** The packed copy of an int8 weight, from its second product on; null when the device keeps none. */
function packedInt8(device: NativeDevice, weight: Tensor<"int8">): Pointer | null {
  const [n, k] = weight.shape as readonly [number, number];
  const byteLength = device.packedBytesInt8(n, k);
  const source = pointerOf(weight);
  if (byteLength === 0 || !device.packed.isUsedAgain(source)) return null;
  const pack = (packed: Pointer) => device.queue.enqueue("hb_pack_int8", source, n, k, packed);
  return device.packed.get({ sources: [source], layout: `${n},${k}`, byteLength, pack });
}

const int8MmDequant: NativeOperation<"int8MmDequant"> = {
  name: "int8_mm_dequant",
  refuse: refuseCpuProfile,
  launch(device, { a, rowStats, colStats, bias, dtype, profile }, { out }) {
    device.queue.enqueue(
      "hb_int8_mm_dequant",
      pointerOf(a),
      pointerOf(rowStats),
      pointerOf(colStats),
      pointerOrNull(bias),
      biasDtype(bias),
      rowsOf(a.shape),
      lastOf(a.shape),
      profileOf(profile),
      pointerOf(out),
      dtypeNumbers[dtype],
    );
    return undefined;
  },
};

type MixedArgs = Ops["int8MixedScaledMm"]["in"];
/** int8ScaledMm is the mixed product without outliers. */
type ScaledArgs = Omit<MixedArgs, "x" | "outlierColumns"> & Partial<Pick<MixedArgs, "x" | "outlierColumns">>;

function launchScaled(device: NativeDevice, args: ScaledArgs, out: Tensor<Float>): undefined {
  const { x, a, b, rowStats, colStats, outlierColumns, bias, profile } = args;
  const [n, k] = b.shape as readonly [number, number];
  device.queue.enqueue(
    "hb_int8_mixed_scaled_mm",
    pointerOrNull(x),
    pointerOf(a),
    pointerOf(b),
    packedInt8(device, b),
    pointerOf(rowStats),
    pointerOf(colStats),
    pointerOrNull(outlierColumns),
    pointerOrNull(bias),
    biasDtype(bias),
    rowsOf(a.shape),
    n,
    k,
    profileOf(profile),
    pointerOf(out),
    dtypeOf(out),
  );
}

const int8ScaledMm: NativeOperation<"int8ScaledMm"> = {
  name: "int8_mixed_scaled_mm",
  refuse: refuseCpuProfile,
  launch: (device, args, { out }) => launchScaled(device, args, out),
};

const int8MixedScaledMm: NativeOperation<"int8MixedScaledMm"> = {
  name: "int8_mixed_scaled_mm",
  refuse: refuseCpuProfile,
  launch: (device, args, { out }) => launchScaled(device, args, out),
};

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

const optimizerUpdate32bit: NativeOperation<"optimizerUpdate32bit"> = {
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

const optimizerUpdate8bitBlockwise: NativeOperation<"optimizerUpdate8bitBlockwise"> = {
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

export const nativeOperations: { readonly [K in OpName]: NativeOperation<K> } = {
  quantize4bit,
  dequantize4bit,
  quantizeBlockwise,
  dequantizeBlockwise,
  gemm4bit,
  gemm,
  int8VectorwiseQuant,
  int8VectorwiseDequant,
  int8LinearMatmul,
  int8MmDequant,
  int8ScaledMm,
  int8MixedScaledMm,
  optimizerUpdate32bit,
  optimizerUpdate8bitBlockwise,
};
