/** Code books and 4-bit thresholds: made by core, the same on every backend. */
import {
  createDynamicMap,
  createFp8Map,
  createLinearMap,
  createNormalMap,
  getFormat,
  thresholdsOf,
} from "@halfbyte/core";
import { tolerance } from "../tolerance.js";
import { differenceBeyond } from "./compare.js";
import { float32, numbersOf } from "./elements.js";
import type { Trial, Verdicts } from "./trial.js";

export async function* dynamicMap(trial: Trial): Verdicts {
  const options = present({
    signed: flag(trial, "signed"),
    maxExponentBits: count(trial, "max_exponent_bits"),
    totalBits: count(trial, "total_bits"),
  });
  const code = float32(createDynamicMap(options));
  const isDefault = (options.maxExponentBits ?? 7) === 7 && (options.totalBits ?? 8) === 8;
  yield isDefault ? trial.bits("code", code) : trial.ulps("code", code, tolerance.otherMap);
}

export async function* linearMap(trial: Trial): Verdicts {
  const signed = flag(trial, "signed");
  const code = createLinearMap(
    present({ signed, totalBits: count(trial, "total_bits"), addZero: flag(trial, "add_zero") }),
  );
  yield trial.ulps("code", float32(code), tolerance.otherMap);
}

export async function* fp8Map(trial: Trial): Verdicts {
  const code = createFp8Map(
    present({
      signed: flag(trial, "signed"),
      exponentBits: count(trial, "exponent_bits"),
      precisionBits: count(trial, "precision_bits"),
      totalBits: count(trial, "total_bits"),
    }),
  );
  yield trial.ulps("code", float32(code), tolerance.otherMap);
}

export async function* normalMap(trial: Trial): Verdicts {
  const options = present({ offset: count(trial, "offset"), useExtraValue: flag(trial, "use_extra_value") });
  yield trial.close("code", float32(createNormalMap(options)), tolerance.normalMap);
}

export async function* fourBitType(trial: Trial): Verdicts {
  yield trial.bits("code", float32(getFormat(trial.text("typename")).code));
}

export async function* fourBitBounds(trial: Trial): Verdicts {
  const { bounds, order } = thresholdsOf(getFormat(trial.text("quant_type")).code);
  yield trial.bits("bounds", float32(bounds));
  const expected = numbersOf(trial.expected("order"));
  yield { output: "order", difference: differenceBeyond(expected, Float64Array.from(order), () => 0) };
}

const flag = (trial: Trial, name: string): boolean | undefined =>
  name in trial.record.params ? trial.record.params[name] === true : undefined;

const count = (trial: Trial, name: string): number | undefined =>
  name in trial.record.params ? trial.number(name) : undefined;

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without the options that the case leaves at their default. */
function present<T extends object>(options: T): Present<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Present<T>;
}
