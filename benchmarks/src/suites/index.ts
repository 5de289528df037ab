/** The suites: how each measures its cases, and which cases it has for the options of a command line. */
import type { Accuracy, Float } from "@halfbyte/core";
import { architectureOf, architectures } from "../architectures.js";
import type { Suite } from "../case.js";
import { type Dimensions, keyOf, type Spec, type SuiteName, type Temperature } from "../spec.js";
import { checkpointCase, measureCheckpoint } from "./checkpoint.js";
import { int8Cases } from "./int8.js";
import { optimizerCases } from "./optimizer.js";
import { portableSuites } from "./portable.js";
import { measureStartup, startupCases } from "./startup.js";

export const suites: Readonly<Record<SuiteName, Suite>> = {
  ...portableSuites,
  checkpoint: { measure: measureCheckpoint },
  startup: { measure: measureStartup },
};

/** What a command line may ask for; absent: the suite's own choice. */
export interface Wish {
  readonly backend: string;
  readonly threads: readonly number[];
  readonly formats?: readonly string[];
  readonly dtypes?: readonly Float[];
  readonly shapes?: readonly Dimensions[];
  readonly models?: readonly string[];
  /** Of the synthetic checkpoint. */
  readonly gigabytes: number;
  readonly accuracy?: Accuracy;
}

/** One value for each choice of a case that is not fixed yet. */
interface Choices {
  readonly cases: readonly string[];
  readonly formats: readonly (string | null)[];
  readonly dtypes: readonly Float[];
  readonly shapes: readonly Dimensions[];
  readonly temperatures: (shape: Dimensions) => readonly Temperature[];
}

const none: Dimensions = { m: 0, n: 0, k: 0 };
const square: Dimensions = { m: 1, n: 4096, k: 4096 };
const warm = (): Temperature[] => ["warm"];
const both = (): Temperature[] => ["warm", "cold"];
const storedFormats = ["nf4", "int8-blockwise", "int8-rowwise"];

const choices: Readonly<Record<SuiteName, Choices>> = {
  quantize: {
    cases: ["quantize"],
    formats: storedFormats,
    dtypes: ["float32", "bfloat16"],
    shapes: [square],
    temperatures: both,
  },
  dequantize: {
    cases: ["dequantize"],
    formats: storedFormats,
    dtypes: ["float32", "bfloat16"],
    shapes: [square],
    temperatures: both,
  },
  "gemm-4bit": {
    cases: ["gemm4bit"],
    formats: ["nf4"],
    dtypes: ["float32", "bfloat16"],
    shapes: [1, 16, 128, 512].map((m) => ({ ...square, m })),
    temperatures: ({ m }) => (m === 1 ? both() : warm()),
  },
  int8: {
    cases: int8Cases,
    formats: ["int8-rowwise"],
    dtypes: ["bfloat16"],
    shapes: [1, 16, 128].map((m) => ({ ...square, m })),
    temperatures: warm,
  },
  optimizer: { cases: optimizerCases, formats: [null], dtypes: ["float32"], shapes: [square], temperatures: warm },
  decode: {
    cases: architectures.slice(0, 3).map(({ name }) => name),
    formats: ["nf4"],
    dtypes: ["bfloat16", "float32"],
    shapes: [none],
    temperatures: () => ["cold"],
  },
  checkpoint: { cases: ["quantize"], formats: ["nf4"], dtypes: ["bfloat16"], shapes: [none], temperatures: warm },
  startup: { cases: startupCases, formats: [null], dtypes: ["float32"], shapes: [none], temperatures: warm },
};

/** Suites whose cases take any format, dtype or shape of the command line. */
const takesShapes: readonly SuiteName[] = ["quantize", "dequantize", "gemm-4bit", "int8", "optimizer"];
const takesFormats: readonly SuiteName[] = ["quantize", "dequantize", "gemm-4bit", "decode", "checkpoint"];
const takesAccuracy: readonly SuiteName[] = ["gemm-4bit", "decode"];
const takesDtypes: readonly SuiteName[] = ["quantize", "dequantize", "gemm-4bit", "int8", "decode"];

/** The cases of a suite, in the order in which they are measured. */
export function casesOf(suite: SuiteName, wish: Wish): Spec[] {
  const own = choices[suite];
  const specs = combine<Omit<Spec, "temperature">>({
    suite: [suite],
    backend: [wish.backend],
    threads: suite === "checkpoint" || suite === "startup" ? [Math.max(...wish.threads)] : wish.threads,
    case: namesOf(suite, wish),
    format: (takesFormats.includes(suite) && wish.formats) || own.formats,
    dtype: (takesDtypes.includes(suite) && wish.dtypes) || own.dtypes,
    shape: (takesShapes.includes(suite) && wish.shapes) || own.shapes,
    accuracy: [takesAccuracy.includes(suite) ? (wish.accuracy ?? null) : null],
  });
  const withTemperature = specs.flatMap((spec) =>
    own.temperatures(spec.shape).map((temperature): Spec => ({ ...spec, temperature })),
  );
  return unique(withTemperature.filter(isSensible).map(withModelShape));
}

function namesOf(suite: SuiteName, { models, gigabytes }: Wish): readonly string[] {
  if (suite === "checkpoint") return [checkpointCase(gigabytes)];
  return (suite === "decode" && models) || choices[suite].cases;
}

/** Every combination of one value per key. */
function combine<T extends object>(values: { readonly [K in keyof T]: readonly T[K][] }): T[] {
  const combinations = Object.entries<readonly unknown[]>(values).reduce<object[]>(
    (partial, [key, options]) => partial.flatMap((chosen) => options.map((option) => ({ ...chosen, [key]: option }))),
    [{}],
  );
  return combinations as T[];
}

/** A model is described by the width of its feed-forward part and of what passes between layers. */
function withModelShape(spec: Spec): Spec {
  if (spec.suite !== "decode") return spec;
  const { inner, hidden } = architectureOf(spec.case);
  return { ...spec, shape: { m: 1, n: inner, k: hidden } };
}

/** LLM.int8() rows decode to float32 only. */
const isSensible = ({ suite, format, dtype }: Spec): boolean =>
  !(suite === "dequantize" && format === "int8-rowwise" && dtype !== "float32");

export function unique(specs: readonly Spec[]): Spec[] {
  return [...new Map(specs.map((spec) => [keyOf(spec), spec])).values()];
}
