/** The side-car of a vector file: JSON that names the cases. Written by golden/generate.py; checked here once. */
import { halfbyteError } from "@halfbyte/core";

export interface SideCar {
  /** File name of the safetensors file beside it. */
  readonly tensors: string;
  readonly cases: readonly CaseRecord[];
}

export interface CaseRecord {
  readonly id: string;
  readonly op: string;
  readonly params: Params;
  /** Argument name → tensor name; equal tensors are stored once, so the names repeat. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, string>>;
}

export type Params = Readonly<Record<string, unknown>>;

/** The side-car in a JSON text, or undefined when the text is some other JSON. */
export function parseSideCar(text: string, file: string): SideCar | undefined {
  const json = parseJson(text, file);
  if (!isRecord(json) || !("cases" in json)) return undefined;
  if (json["golden_format"] !== 1) throw invalid(file, "is not of golden_format 1");
  if (typeof json["tensors"] !== "string" || !Array.isArray(json["cases"]))
    throw invalid(file, "lacks tensors or cases");
  return { tensors: json["tensors"], cases: json["cases"].map((entry: unknown) => caseOf(entry, file)) };
}

function caseOf(entry: unknown, file: string): CaseRecord {
  if (!isRecord(entry)) throw invalid(file, "has a case that is not an object");
  const { id, op, params, inputs, outputs } = entry;
  const named = typeof id === "string" && typeof op === "string";
  if (named && isRecord(params) && isNames(inputs) && isNames(outputs)) return { id, op, params, inputs, outputs };
  throw invalid(file, `has a case (${String(id)}) without op, params, inputs or outputs`);
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw halfbyteError("VECTORS_INVALID", `${file} is not JSON.`, { cause, details: { file } });
  }
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isNames = (value: unknown): value is Record<string, string> =>
  isRecord(value) && Object.values(value).every((name) => typeof name === "string");

const invalid = (file: string, why: string) =>
  halfbyteError("VECTORS_INVALID", `${file} ${why}.`, { details: { file } });
