/** What stands in TypeScript about halfbyte.h is what the header says. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  abiVersion,
  accuracyNumbers,
  dtypeNumbers,
  formatNumbers,
  optimizerNumbers,
  profileNumbers,
  status,
} from "../src/abi.js";
import { optionalSignatures, signatures, stepFields } from "../src/signatures.js";

const header = readFileSync(new URL("../include/halfbyte.h", import.meta.url), "utf8");
const code = header.replace(/\/\*[\s\S]*?\*\//g, "");

const defined = (name: string): number => Number(new RegExp(`#define ${name} (\\d+)`).exec(code)?.[1]);

describe("numbers of the ABI", () => {
  it("has the header's version", () => expect(abiVersion).toBe(defined("HB_ABI_VERSION")));

  const numbers = {
    HB_OK: status.ok,
    HB_OUT_OF_MEMORY: status.outOfMemory,
    HB_UNSUPPORTED: status.unsupported,
    HB_DEVICE_LOST: status.deviceLost,
    HB_FAILED: status.failed,
    HB_FLOAT32: dtypeNumbers.float32,
    HB_FLOAT16: dtypeNumbers.float16,
    HB_BFLOAT16: dtypeNumbers.bfloat16,
    HB_REFERENCE: profileNumbers.reference,
    HB_CUDA: profileNumbers.cuda,
    HB_TABLE: formatNumbers.table,
    HB_NF4: formatNumbers.nf4,
    HB_FP4: formatNumbers.fp4,
    HB_EXACT: accuracyNumbers.exact,
    HB_FAST: accuracyNumbers.fast,
    HB_TURBO: accuracyNumbers.turbo,
    HB_ADAM: optimizerNumbers.adam,
    HB_ADEMAMIX: optimizerNumbers.ademamix,
    HB_MOMENTUM: optimizerNumbers.momentum,
    HB_LION: optimizerNumbers.lion,
    HB_RMSPROP: optimizerNumbers.rmsprop,
    HB_ADAGRAD: optimizerNumbers.adagrad,
  };

  it.each(Object.entries(numbers))("%s", (name, value) => expect(value).toBe(defined(name)));
});

describe("functions of the ABI", () => {
  const typedefs: Readonly<Record<string, string>> = Object.fromEntries(
    [...code.matchAll(/typedef (\w+) (hb_\w+);/g)].map(([, type, name]) => [name, type]),
  );

  /** A C type as signatures.ts writes it: pointers are untyped, except to the step and to a pointer that is filled in. */
  function kindOf(type: string): string {
    const plain = type.replace(/\bconst\b/g, "").trim();
    if (plain.includes("hb_step")) return "hb_step *";
    if (plain.includes("**")) return "_Out_ void **";
    if (plain.includes("*")) return "void *";
    return typedefs[plain] ?? plain;
  }

  const prototypes = [...code.matchAll(/HB_(API|OPTIONAL) ([\w\s]+?\*?)\s*(hb_\w+)\(([^;]*)\);/g)].map(
    ([, kind, result, name, parameters]) => ({
      isOptional: kind === "OPTIONAL",
      name: name!,
      result: result!.trim(),
      parameters: parameters!
        .split(",")
        .map((parameter) => parameter.replace(/\s+/g, " ").trim())
        .filter((parameter) => parameter !== "void")
        .map((parameter) => kindOf(parameter.replace(/\w+$/, ""))),
    }),
  );

  it("are bound in the header's order, none left out", () => {
    const names = (wanted: boolean) =>
      prototypes.filter(({ isOptional }) => isOptional === wanted).map(({ name }) => name);
    expect(Object.keys(signatures)).toEqual(names(false));
    expect(Object.keys(optionalSignatures)).toEqual(names(true));
  });

  it.each(prototypes)("$name", ({ name, result, parameters }) => {
    const all = { ...signatures, ...optionalSignatures };
    const [boundResult, bound] = all[name as keyof typeof all];
    expect(bound).toEqual(parameters);
    expect(boundResult).toBe(result === "const char *" ? result : kindOf(result));
  });

  it("hb_step has the header's fields", () => {
    const fields = /typedef struct hb_step \{([\s\S]*?)\} hb_step;/.exec(code)![1]!;
    const declared = [...fields.matchAll(/(\w+) ([\w, ]+);/g)].flatMap(([, type, names]) =>
      names!.split(",").map((name) => [name.trim(), type]),
    );
    expect(Object.entries(stepFields)).toEqual(declared);
  });
});
