/** No float operation: how an adapter rounds, flushes or reorders cannot matter, because nothing is left for it to decide. */
import { describe, expect, it } from "vitest";
import { moduleText } from "./exact-adapter.js";

const withoutComments = (text: string): string => text.replace(/\/\/.*$/gm, "");

/** Types, suffixed or decimal literals and built-in functions by which a float could come in. */
const floatTokens =
  /\b(f16|f32|mat\dx\d\w*|vec\df|vec\dh|bitcast|(un)?pack\w*(float|norm)|fma|sqrt|inverseSqrt|round|floor|exp2?|log2?|pow|ldexp|frexp)\b|\b\d+\.|\.\d|\b\d+[fh]\b|\b\d+e[+-]?\d/g;

/** The types a declaration may name, records and pointers of integers included. */
const integerTypes = [
  "u32",
  "i32",
  "bool",
  "Unpacked",
  "MantissaProduct",
  "LeadingProduct",
  "Wide",
  "BlockScale",
  "Limits",
  "vec4u",
  "ptr",
  "function",
  "array",
];

describe.for(["float32", "fused_multiply_add", "float16", "block_scale", "decision4bit"])("%s.wgsl", (name) => {
  const text = withoutComments(moduleText(name));

  it("names no float type, literal or function", () => {
    expect(text.match(floatTokens) ?? []).toEqual([]);
  });

  it("declares integers and booleans alone", () => {
    const declared = [...text.matchAll(/(?::|->)\s*([A-Za-z]\w*)/g)].map(([, type]) => type!);
    expect(declared.filter((type) => !integerTypes.includes(type))).toEqual([]);
  });
});

describe("the check itself", () => {
  it.for(["let x = bitcast<f32>(a);", "let x = a * 0.5;", "let x = 1f / y;", "let x = 1e3;", "unpack2x16float(a)"])(
    "finds the float in %s",
    (text) => expect(text.match(floatTokens)).not.toBeNull(),
  );
});
