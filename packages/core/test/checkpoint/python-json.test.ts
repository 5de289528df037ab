import { describe, expect, it } from "vitest";
import { PythonFloat, pythonDumps, pythonFloat } from "../../src/checkpoint/python-json.js";
import { pythonFloats } from "./python-floats.js";

function doubleOf(bits: bigint): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}

describe("a float", () => {
  it.each(pythonFloats)("with the bits %s is written as Python's %s", (bits, text) => {
    expect(pythonFloat(doubleOf(bits))).toBe(text);
  });

  it("is the same number when read again", () => {
    for (const [bits, text] of pythonFloats) expect(Number(text)).toBe(doubleOf(bits));
  });
});

describe("json.dumps", () => {
  // Left: JavaScript; right: what Python 3.11 printed.
  it.each([
    ["plain", '"plain"'],
    ['quote" back\\ slash/', '"quote\\" back\\\\ slash/"'],
    ["\b\f\n\r\t", '"\\b\\f\\n\\r\\t"'],
    ["\0\x1f\x7f", '"\\u0000\\u001f\\u007f"'],
    ["é ü ß", '"\\u00e9 \\u00fc \\u00df"'],
    ["日本", '"\\u65e5\\u672c"'],
    ["😀", '"\\ud83d\\ude00"'],
    ["\u2028\u2029", '"\\u2028\\u2029"'],
    ["\ud800", '"\\ud800"'],
    ["\uffff\ufeff", '"\\uffff\\ufeff"'],
    ["", '""'],
  ])("writes the string %j in ASCII", (text, expected) => {
    expect(pythonDumps(text)).toBe(expected);
  });

  it("separates with a space behind comma and colon, and tells floats from integers", () => {
    const value = { a: 1, b: [1, 2, []], c: {}, d: null, e: true, f: false, g: new PythonFloat(1) };
    expect(pythonDumps({ ...value, h: { é: new PythonFloat(-0) } })).toBe(
      '{"a": 1, "b": [1, 2, []], "c": {}, "d": null, "e": true, "f": false, "g": 1.0, "h": {"\\u00e9": -0.0}}',
    );
  });
});
