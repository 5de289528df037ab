/** A 4-bit table as the decisions of decision4bit.wgsl. */
import { type Format, type Profile, type SignMagnitudeThresholds, thresholdsOf } from "@halfbyte/core";

export interface Decision {
  /** The 15 thresholds as ordered keys, ascending: a value's rank is the number of those below it. */
  readonly bounds: readonly number[];
  /** The code of every rank. */
  readonly order: readonly number[];
  readonly rankOfNaN: number;
}

export type Table = Pick<Format, "code" | "cuda">;

/** As core's encoder4bit decides. */
export function decisionOf(table: Table, profile: Profile = "reference"): Decision {
  if (profile === "cuda" && table.cuda) return bySignAndMagnitude(table.cuda);
  const { bounds, order } = thresholdsOf(table.code);
  return { bounds: Array.from(bounds, orderedKey), order: [...order], rankOfNaN: profile === "cuda" ? 0 : 15 };
}

const keyOfZero = 0x80000000;

/** What is above t in magnitude is, where negative, below −t: above the number before that lies everything else. NaN counts as zero. */
function bySignAndMagnitude({ thresholds, codes, signBit }: SignMagnitudeThresholds): Decision {
  const positive = Array.from(thresholds, orderedKey);
  const negative = Array.from(thresholds, (threshold) => orderedKey(-threshold) - 1).reverse();
  const largestNegative = keyOfZero - 2;
  return {
    bounds: [...negative, largestNegative, ...positive],
    order: [...codes.map((code) => code + signBit).reverse(), ...codes],
    rankOfNaN: codes.length,
  };
}

const view = new DataView(new ArrayBuffer(4));

/** As ordered_key in float32.wgsl. */
export function orderedKey(value: number): number {
  view.setFloat32(0, value);
  const word = view.getUint32(0);
  if (value === 0) return keyOfZero;
  return (word >= keyOfZero ? ~word : word | keyOfZero) >>> 0;
}

/** The words of `bounds`, `order` and `rank_of_nan` in quantize_task.wgsl: 16, 2 and 1. */
export function decisionWords({ bounds, order, rankOfNaN }: Decision): number[] {
  const packed = (codes: readonly number[]) => codes.reduce((word, code, i) => word | (code << (4 * i)), 0) >>> 0;
  return [...bounds, 0, packed(order.slice(0, 8)), packed(order.slice(8)), rankOfNaN];
}
