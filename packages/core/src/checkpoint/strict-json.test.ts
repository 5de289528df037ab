import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  forEachMember,
  insertMember,
  isJsonError,
  type JsonError,
  memberSpan,
  parseStrictJson,
  removeMember,
} from "./strict-json.js";

function refusalOf(text: string): JsonError | undefined {
  try {
    parseStrictJson(text);
    return undefined;
  } catch (error) {
    if (isJsonError(error)) return error;
    throw error;
  }
}

/** Half surrogate pairs are refused by design. */
const values = fc.jsonValue({ stringUnit: "binary" }).filter((value) => !/\\ud[89a-f]/.test(JSON.stringify(value)));

describe("parseStrictJson", () => {
  it("reads what JSON.stringify writes", () => {
    fc.assert(
      fc.property(values, fc.constantFrom(undefined, 2, "\t"), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(JSON.stringify(parseStrictJson(text))).toBe(JSON.stringify(JSON.parse(text)));
      }),
      { numRuns: 1000 },
    );
  });

  it("accepts and refuses what JSON.parse does, keys and depth aside", () => {
    const token = fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"a"',
      '"',
      "\\",
      "1",
      "-",
      "0",
      ".5",
      "e1",
      "true",
      "nul",
      "l",
      " ",
      "\n",
    );
    fc.assert(
      fc.property(fc.array(token, { maxLength: 8 }), (tokens) => {
        const text = tokens.join("");
        if (refusalOf(text)?.kind !== "duplicate") expect(refusalOf(text) === undefined).toBe(platformAccepts(text));
      }),
      { numRuns: 20_000 },
    );
  });

  it.each([
    ["0", 0],
    ["-0", -0],
    ["12.5e-3", 0.0125],
    ["1E2", 100],
    ["123456789012345678", 123456789012345680],
    [' "a\\u0041\\n\\ud83d\\ude00" \r\n\t', "aA\n😀"],
    ["[ ]", []],
  ])("reads %s", (text, value) => {
    expect(parseStrictJson(text)).toStrictEqual(value);
  });

  it.each([
    ["", 0],
    ["01", 1],
    ["1.", 1],
    [".5", 0],
    ["+1", 0],
    ["[1,]", 3],
    ["{,}", 1],
    ['{"a" 1}', 5],
    ["tru", 0],
    ['"a\nb"', 2],
    ['"abc', 4],
    ['"\\q"', 0],
    ['"\\ud800"', 0],
    ["[1] x", 4],
    ["[1]\u00a0", 3],
    ["\ufeff1", 0],
  ])("refuses %j at %i", (text, offset) => {
    expect(refusalOf(text)).toMatchObject({ kind: "syntax", offset });
  });

  it("names a key that occurs twice, and where", () => {
    const error = refusalOf('{"x":[{"y":{"z":1,"\\u007a":2}}]}');
    expect(error).toMatchObject({ kind: "duplicate", key: "z", offset: 18, path: ["x", "y"] });
    expect(refusalOf('{"__proto__":1,"__proto__":2}')).toMatchObject({ kind: "duplicate", key: "__proto__", path: [] });
  });

  it("stops at 64 levels", () => {
    const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
    expect(refusalOf(nested(64))).toBeUndefined();
    expect(refusalOf(nested(65))).toMatchObject({ kind: "syntax", offset: 64 });
    expect(refusalOf("[".repeat(1_000_000))).toMatchObject({ kind: "syntax" });
  });

  it("keeps __proto__ an ordinary key", () => {
    const value = parseStrictJson('{"__proto__":{"polluted":true},"constructor":1}');
    expect(Object.getPrototypeOf(value)).toBeNull();
    expect(Object.keys(value ?? {})).toEqual(["__proto__", "constructor"]);
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
  });

  it("turns what is no plain integer into NaN when asked", () => {
    const options = { integersOnly: true };
    expect(parseStrictJson("[0,12,1.0,1e2,-0,-3,9007199254740993]", options)).toEqual([
      0,
      12,
      NaN,
      NaN,
      NaN,
      -3,
      2 ** 53,
    ]);
  });
});

describe("forEachMember", () => {
  it("visits the members in the order of the text, integers included", () => {
    const keys: string[] = [];
    forEachMember('{"b":1,"10":2,"9":{"x":[]}}', (key) => keys.push(key));
    expect(keys).toEqual(["b", "10", "9"]);
  });

  it("refuses what is no object", () => {
    expect(() => forEachMember("[1]", () => undefined)).toThrow(/not JSON at offset 0/);
  });
});

const pretty = '{\n  "a": 1,\n  "b": {\n    "c": [1.0, 2e5]\n  }\n}\n';

describe("editing a text", () => {
  it("finds a member", () => {
    const span = memberSpan(pretty, "b");
    expect(pretty.slice(span?.start, span?.end)).toBe('"b": {\n    "c": [1.0, 2e5]\n  }');
    expect(pretty.slice(span?.valueStart, span?.end).startsWith("{")).toBe(true);
    expect(memberSpan(pretty, "c")).toBeUndefined();
  });

  it("adds a member in the style of its neighbours", () => {
    const value = JSON.stringify({ x: [1] }, null, 2);
    expect(insertMember(pretty, "q", value)).toBe(
      '{\n  "a": 1,\n  "b": {\n    "c": [1.0, 2e5]\n  },\n  "q": {\n    "x": [\n      1\n    ]\n  }\n}\n',
    );
    expect(insertMember('{"a":1}', "q", "2")).toBe('{"a":1,"q":2}');
    expect(insertMember('{"a": 1}', "q", "2")).toBe('{"a": 1, "q": 2}');
    expect(insertMember('{"a": 1, "b": 2}', "q", "2")).toBe('{"a": 1, "b": 2, "q": 2}');
    expect(insertMember("{}\n", "q", "2")).toBe('{\n  "q": 2\n}\n');
    expect(insertMember('{\r\n\t"a": 1\r\n}', "q", "[\n  1\n]")).toBe(
      '{\r\n\t"a": 1,\r\n\t"q": [\r\n\t  1\r\n\t]\r\n}',
    );
  });

  it("replaces a member where it stands", () => {
    expect(insertMember(pretty, "a", '"x"')).toBe(pretty.replace("1,", '"x",'));
  });

  it("removes a member", () => {
    expect(removeMember(pretty, "a")).toBe('{\n  "b": {\n    "c": [1.0, 2e5]\n  }\n}\n');
    expect(removeMember(pretty, "b")).toBe('{\n  "a": 1\n}\n');
    expect(removeMember('{\n  "a": 1\n}\n', "a")).toBe("{}\n");
    expect(removeMember(pretty, "c")).toBe(pretty);
  });

  it("undoes what it did and means what it says, for any object", () => {
    const objects = fc.dictionary(fc.string(), values, { noNullPrototype: true });
    fc.assert(
      fc.property(objects, fc.string(), values, fc.constantFrom(undefined, 2, "\t"), (object, key, value, indent) => {
        fc.pre(!Object.hasOwn(object, key) && key !== "__proto__");
        const text = JSON.stringify(object, null, indent);
        const edited = insertMember(text, key, JSON.stringify(value, null, indent));
        const expected = JSON.parse(JSON.stringify({ ...object, [key]: value }));
        expect(JSON.parse(edited)).toEqual(expected);
        // Integer-like keys move to the front of a JavaScript object; an empty object has no style to follow.
        const comparable = Object.keys(expected).at(-1) === key && Object.keys(object).length > 0;
        if (comparable) expect(edited).toBe(JSON.stringify(expected, null, indent));
        expect(removeMember(edited, key)).toBe(text);
      }),
    );
  });

  it("throws what the reader throws", () => {
    expect(() => insertMember('{"a":1,"a":2}', "b", "1")).toThrow(/"a" occurs twice/);
    expect(() => memberSpan("[]", "b")).toThrow(/not JSON at offset 0/);
  });
});

function platformAccepts(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
