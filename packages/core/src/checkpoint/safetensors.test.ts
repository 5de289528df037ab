import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  layoutSafetensors,
  openSafetensors,
  type SafetensorsFile,
  type StoredDType,
  storedByteCount,
  storedDTypes,
  writeSafetensors,
} from "./safetensors.js";
import { bytesSource } from "./source.js";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

const golden = fileURLToPath(new URL("../../../../golden/", import.meta.url));
const goldenFiles = readdirSync(golden, { recursive: true, encoding: "utf8" }).filter((f) =>
  f.endsWith(".safetensors"),
);

const open = (bytes: Uint8Array): Promise<SafetensorsFile> => openSafetensors(bytesSource(bytes, "test.safetensors"));

interface Given {
  readonly name: string;
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

const specs = fc
  .record({
    name: fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 12 }),
      fc.constantFrom("__proto__", "constructor", "10", "9", '"\\\n'),
    ),
    dtype: fc.constantFrom(...storedDTypes),
    shape: fc.array(fc.nat(5), { maxLength: 4 }),
  })
  .filter(({ name, dtype, shape }) => name !== "__metadata__" && Number.isInteger(storedByteCount(dtype, shape)));

const tensors = fc
  .uniqueArray(specs, { selector: ({ name }) => name, maxLength: 12 })
  .chain((list) => fc.tuple(...list.map(withBytes)));

function withBytes(spec: Omit<Given, "bytes">): fc.Arbitrary<Given> {
  const length = storedByteCount(spec.dtype, spec.shape);
  return fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => ({ ...spec, bytes }));
}

const metadatas = fc.option(fc.dictionary(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" })), {
  nil: undefined,
});

describe("a safetensors file", () => {
  it("gives back what was written", async () => {
    await fc.assert(
      fc.asyncProperty(tensors, metadatas, async (given, metadata) => {
        const file = await open(writeSafetensors(given, metadata));
        expect({ ...file.metadata }).toEqual({ ...metadata });
        expect(file.entries.size).toBe(given.length);
        for (const { name, dtype, shape, bytes } of given) {
          expect(file.entry(name)).toMatchObject({ name, dtype, shape, byteLength: bytes.length });
          expect(await file.read(name)).toEqual(bytes);
        }
      }),
    );
  });

  it("is laid out by alignment and the UTF-8 bytes of the names, whatever the order given", () => {
    fc.assert(
      fc.property(tensors, (given) => {
        const { entries, header, byteLength } = layoutSafetensors(given);
        expect(header.length % 8).toBe(0);
        expect(layoutSafetensors([...given].reverse()).header).toEqual(header);
        expect(byteLength).toBe(header.length + entries.reduce((sum, entry) => sum + entry.byteLength, 0));
        const keys = entries.map(({ name, dtype }) => [storedDTypes.indexOf(dtype), utf8(name)] as const);
        for (let i = 1; i < keys.length; i++)
          expect(keys[i - 1]![0] - keys[i]![0] || Buffer.compare(keys[i - 1]![1], keys[i]![1])).toBeLessThan(0);
      }),
    );
  });

  it("sorts names beyond the basic plane after all others, as their UTF-8 bytes do", () => {
    const names = ["\u{1f600}", "\uffee", "z", "\ue000"];
    const { entries } = layoutSafetensors(names.map((name) => ({ name, dtype: "U8", shape: [1] })));
    expect(entries.map(({ name }) => name)).toEqual(["z", "\ue000", "\uffee", "\u{1f600}"]);
  });

  it("is written as the format's own library writes it", () => {
    const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes.subarray(8));
    expect(text(layoutSafetensors([]).header)).toBe("{}      ");
    expect(text(layoutSafetensors([], { framework: "pt" }).header)).toBe('{"__metadata__":{"framework":"pt"}}     ');
    expect(text(layoutSafetensors([{ name: "attn0", dtype: "F32", shape: [1, 1, 2, 3] }]).header)).toBe(
      '{"attn0":{"dtype":"F32","shape":[1,1,2,3],"data_offsets":[0,24]}}       ',
    );
  });
});

describe("golden files", () => {
  it("are found", () => expect(goldenFiles.length).toBeGreaterThan(20));

  it.each(goldenFiles)("%s: the file is rebuilt byte for byte", async (name) => {
    const bytes = new Uint8Array(readFileSync(golden + name));
    const file = await open(bytes);
    const given = await Promise.all(
      [...file.entries.values()].reverse().map(async (entry) => ({ ...entry, bytes: await file.read(entry.name) })),
    );
    const rebuilt = writeSafetensors(given, file.metadata);
    expect(Buffer.compare(rebuilt, bytes)).toBe(0);
    const { entries, byteLength } = layoutSafetensors(given, file.metadata);
    expect(byteLength).toBe(bytes.length);
    expect(entries).toEqual([...file.entries.values()]);
  });
});

describe("reading", () => {
  const given = [
    { name: "w", dtype: "F32", shape: [2, 2], bytes: Uint8Array.from({ length: 16 }, (_, i) => i) },
    { name: "empty", dtype: "BF16", shape: [0, 7], bytes: new Uint8Array(0) },
    { name: "scalar", dtype: "U8", shape: [], bytes: Uint8Array.of(9) },
  ] as const;

  it("reads parts of a tensor", async () => {
    const file = await open(writeSafetensors(given));
    expect(await file.read("w", { offset: 4, length: 3 })).toEqual(Uint8Array.of(4, 5, 6));
    expect(await file.read("w", { offset: 14 })).toEqual(Uint8Array.of(14, 15));
    expect(await file.read("w", { offset: 16 })).toEqual(new Uint8Array(0));
    expect(await file.read("empty")).toEqual(new Uint8Array(0));
    expect(await file.read("scalar")).toEqual(Uint8Array.of(9));
    expect([...file.entries.keys()]).toEqual(["w", "empty", "scalar"]);
  });

  it.each([{ offset: -1 }, { offset: 17 }, { offset: 0.5 }, { length: -1 }, { length: 17 }, { offset: 1, length: 16 }])(
    "refuses the part %o",
    async (part) => {
      const file = await open(writeSafetensors(given));
      await expect(file.read("w", part)).rejects.toMatchObject({ code: "INVALID_ARGUMENT", details: { tensor: "w" } });
    },
  );

  it("names a tensor that is not there", async () => {
    const file = await open(writeSafetensors(given));
    for (const name of ["x", "__proto__", "toString"])
      await expect(file.read(name)).rejects.toMatchObject({ code: "TENSOR_NOT_FOUND", details: { tensor: name } });
  });

  it("accepts a file laid out in another order, with white space inside the header", async () => {
    const json = ` "b": {"data_offsets": [0, 4], "shape": [1], "dtype": "F32"},\n "a": {"dtype": "U8", "shape": [3], "data_offsets": [4, 7]} `;
    const header = utf8(`{${json}}\n `);
    const bytes = new Uint8Array(8 + header.length + 7);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
    bytes.set(header, 8);
    const file = await open(bytes);
    expect(file.entry("a")).toEqual({
      name: "a",
      dtype: "U8",
      shape: [3],
      byteOffset: 12 + header.length,
      byteLength: 3,
    });
    expect(file.metadata).toBeUndefined();
  });

  it("stops when the signal fires", async () => {
    const signal = AbortSignal.abort();
    await expect(openSafetensors(bytesSource(writeSafetensors(given)), { signal })).rejects.toMatchObject({
      code: "ABORTED",
    });
    const file = await open(writeSafetensors(given));
    await expect(file.read("w", { signal })).rejects.toMatchObject({ code: "ABORTED" });
  });

  it("opens 100 000 tensors, of which it reads nothing but the header", async () => {
    const many = Array.from({ length: 100_000 }, (_, i) => ({
      name: `model.layers.${i >> 4}.block_sparse_moe.experts.${i & 15}.w1.weight`,
      dtype: "BF16" as const,
      shape: [4096, 14336],
    }));
    const { header, entries, byteLength } = layoutSafetensors(many, { format: "pt" });
    const reads: number[] = [];
    const read = async (offset: number, length: number): Promise<Uint8Array> => {
      reads.push(length);
      return header.subarray(offset, offset + length);
    };
    const file = await openSafetensors({ name: "huge", size: byteLength, read, close: async () => undefined });
    expect(byteLength).toBeGreaterThan(10e12);
    expect(reads).toEqual([8, header.length - 8]);
    expect([...file.entries.values()]).toEqual(entries);
  });
});

describe("laying out", () => {
  const one = { name: "w", dtype: "F32", shape: [1] } as const;

  it.each([
    ["the same name twice", [one, one], "INVALID_ARGUMENT"],
    ["the reserved name", [{ ...one, name: "__metadata__" }], "INVALID_ARGUMENT"],
    ["a name that UTF-8 cannot hold", [{ ...one, name: "\ud800" }], "INVALID_ARGUMENT"],
    ["a negative dimension", [{ ...one, shape: [-1] }], "INVALID_SHAPE"],
    ["a fractional dimension", [{ ...one, shape: [1.5] }], "INVALID_SHAPE"],
    ["half a byte", [{ ...one, dtype: "F4", shape: [3] }], "INVALID_SHAPE"],
    ["too many bytes", [{ ...one, shape: [2 ** 52] }], "INVALID_SHAPE"],
    [
      "too many bytes together",
      [
        { ...one, shape: [2 ** 50] },
        { ...one, name: "v", shape: [2 ** 50] },
      ],
      "INVALID_SHAPE",
    ],
    ["a header above the limit", [{ ...one, name: "x".repeat(100_000_000) }], "HEADER_TOO_LARGE"],
  ] as const)("refuses %s", (_, list, code) => {
    expect(() => layoutSafetensors(list)).toThrow(expect.objectContaining({ code }));
  });

  it("refuses bytes of another length", () => {
    const bytes = new Uint8Array(3);
    expect(() => writeSafetensors([{ ...one, bytes }])).toThrow(
      expect.objectContaining({ code: "BYTE_COUNT_MISMATCH" }),
    );
  });
});
