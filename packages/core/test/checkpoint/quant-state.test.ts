import { describe, expect, it } from "vitest";
import { encodeQuantState, parseQuantState, type QuantState } from "../../src/checkpoint/quant-state.js";
import { textOf, utf8 } from "./fixtures.js";

const plain: QuantState = { quantType: "nf4", blockSize: 64, dtype: "bfloat16", shape: [64, 128] };
const nested: QuantState = { ...plain, nested: { blockSize: 256, offset: 0.08716583251953125 } };
const refusalOf = (text: string) => {
  try {
    return parseQuantState(utf8(text), "layer.weight");
  } catch (error) {
    return error;
  }
};

describe("a quant_state", () => {
  it.each<[QuantState, string]>([
    [plain, '{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [64, 128]}'],
    [
      nested,
      '{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [64, 128], "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 0.08716583251953125}',
    ],
    [
      { ...plain, shape: [8, 32, 16] },
      '{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [8, 32, 16]}',
    ],
    [{ ...plain, shape: [] }, '{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": []}'],
    [
      {
        quantType: "fp4",
        blockSize: 4096,
        dtype: "float16",
        shape: [1],
        nested: { blockSize: 256, offset: Math.fround(1e-5) },
      },
      '{"quant_type": "fp4", "blocksize": 4096, "dtype": "float16", "shape": [1], "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 9.999999747378752e-06}',
    ],
  ])("is the text Python writes, and comes back from it", (state, text) => {
    expect(textOf(encodeQuantState(state))).toBe(text);
    expect(parseQuantState(utf8(text), "layer.weight")).toEqual(state);
  });

  it.each([0, -0, 1, 2.5, -1e-30, 1e20, 2 ** -149, 3.4028234663852886e38])("keeps the offset %d", (offset) => {
    const state = { ...plain, nested: { blockSize: 256, offset: Math.fround(offset) } };
    expect(parseQuantState(encodeQuantState(state), "w")).toEqual(state);
  });

  it("is read whatever its layout, order of keys and other keys are", () => {
    const text = '\n{ "shape":[64,128],"dtype":"bfloat16","version":{"a":[1]},"quant_type":"nf4","blocksize":64 }\n';
    expect(parseQuantState(utf8(text), "layer.weight")).toEqual(plain);
  });

  it("rounds an offset of more digits to float32, as upstream", () => {
    const text = textOf(encodeQuantState(nested)).replace("0.08716583251953125", "0.1");
    expect(parseQuantState(utf8(text), "w").nested?.offset).toBe(Math.fround(0.1));
  });

  it.each([
    ['{"blocksize": 64}', "quant_type"],
    ['{"quant_type": "nf4", "blocksize": "64"}', "blocksize"],
    ['{"quant_type": "nf4", "blocksize": 64, "dtype": "float8", "shape": [1]}', "dtype"],
    ['{"quant_type": "nf4", "blocksize": 64, "dtype": "float16", "shape": [1.5]}', "shape"],
    [
      '{"quant_type": "nf4", "blocksize": 64, "dtype": "float16", "shape": [2], "nested_blocksize": true}',
      "nested_blocksize",
    ],
    [
      '{"quant_type": "nf4", "blocksize": 64, "dtype": "float16", "shape": [2], "nested_blocksize": 256}',
      "nested_offset",
    ],
  ])("%s is refused for its field %s", (text, field) => {
    const error = refusalOf(text);
    expect(error).toMatchObject({ code: "QUANT_STATE_INVALID", details: { tensor: "layer.weight" } });
    expect(String(error)).toContain(`field ${field} `);
  });

  it("does not take what every object has for a field", () => {
    expect(
      refusalOf('{"__proto__": {"quant_type": "nf4"}, "blocksize": 64, "dtype": "float16", "shape": [2]}'),
    ).toMatchObject({ code: "QUANT_STATE_INVALID" });
  });
});
