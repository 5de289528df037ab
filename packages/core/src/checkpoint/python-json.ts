/**
 * JSON as Python's json.dumps writes it by default: ", " and ": " between items, ASCII escapes, and Python's float text. The
 * quant_state of a checkpoint is stored as such text, so its bytes matter.
 */

/** A number that Python would hold as a float. */
export class PythonFloat {
  constructor(readonly value: number) {}
}

export type PythonValue =
  | null
  | boolean
  | number
  | string
  | PythonFloat
  | readonly PythonValue[]
  | { readonly [key: string]: PythonValue };

export function pythonDumps(value: PythonValue): string {
  if (value instanceof PythonFloat) return pythonFloat(value.value);
  if (typeof value === "string") return asciiString(value);
  if (value === null || typeof value !== "object") return String(value);
  if (isList(value)) return `[${value.map(pythonDumps).join(", ")}]`;
  return `{${Object.entries(value)
    .map(([key, member]) => `${asciiString(key)}: ${pythonDumps(member)}`)
    .join(", ")}}`;
}

const isList = (value: object): value is readonly PythonValue[] => Array.isArray(value);

const asciiString = (text: string): string =>
  JSON.stringify(text).replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);

/**
 * repr(float): the shortest digits that round-trip, as in JavaScript, but with an exponent below 1e-4 and from 1e16 on, at
 * least two digits in it, and ".0" behind integers.
 */
export function pythonFloat(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "Infinity" : "-Infinity";
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const [digits, exponent] = value.toExponential().split("e") as [string, string];
  const power = Number(exponent);
  if (power < -4 || power >= 16) return `${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  return positional(value, power);
}

function positional(value: number, power: number): string {
  // toString() turns to exponents only outside 1e-6 … 1e21, so it is positional here.
  const text = String(value);
  return power >= 0 && !text.includes(".") ? `${text}.0` : text;
}
