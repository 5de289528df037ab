import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bytesOf, fromFloat32, viewAs } from "../../src/dtype.js";
import {
  type Backend,
  type CheckpointProgress,
  dequantize,
  dequantizeCheckpoint,
  memoryRepository,
  memorySink,
  openBackend,
  openCheckpoint,
  type QuantizeRunOptions,
  quantize,
  quantizeCheckpoint,
  type Sink,
  writeSafetensors,
} from "../../src/index.js";
import {
  counting,
  file,
  floats,
  golden,
  goldenNames,
  identical,
  jsonBytes,
  normals,
  raw,
  refusal,
  repositoryOf,
  type Stored,
  tensorsOf,
  textOf,
  utf8,
  weight,
} from "./fixtures.js";

let backend: Backend;
beforeAll(async () => {
  backend = await openBackend([]);
});
afterAll(async () => {
  expect(backend.memory()).toMatchObject({ tensors: 0, bytes: 0 });
  await backend.dispose();
});

type Options = Omit<QuantizeRunOptions, "backend">;
type Repository = ReturnType<typeof memoryRepository>;

async function quantized(input: Repository, options: Options) {
  const sink = memorySink();
  const report = await quantizeCheckpoint(input, sink, { ...options, backend });
  return { files: sink.files, report };
}

async function tensorsAfter(
  tensors: readonly Stored[],
  options: Options,
  config?: object,
): Promise<Map<string, Stored>> {
  const { files } = await quantized(repositoryOf(tensors, config ? { "config.json": jsonBytes(config) } : {}), options);
  return tensorsOf(files.get("model.safetensors")!);
}

/** The file is what its own tensors give when they are laid out with all lengths known. */
async function expectExactLayout(bytes: Uint8Array): Promise<void> {
  const again = writeSafetensors([...(await tensorsOf(bytes)).values()], { format: "pt" });
  expect(identical(again, bytes)).toBe(true);
}

interface GoldenConfig {
  readonly quantization_config: {
    readonly load_in_4bit: boolean;
    readonly bnb_4bit_quant_type: string;
    readonly bnb_4bit_use_double_quant: boolean;
    readonly bnb_4bit_compute_dtype: "bfloat16" | "float16" | "float32";
    readonly llm_int8_threshold: number;
  };
}

describe.each(goldenNames)("the golden checkpoint %s", (name) => {
  async function prepared() {
    const given = await golden(name);
    const config = JSON.parse(given.configText) as GoldenConfig;
    const { quantization_config: stated, ...others } = config;
    const configText = JSON.stringify(others, null, 1);
    const options: Options = stated.load_in_4bit
      ? {
          format: stated.bnb_4bit_quant_type,
          nested: stated.bnb_4bit_use_double_quant,
          computeDtype: stated.bnb_4bit_compute_dtype,
          profile: "cpu",
        }
      : { format: "int8", threshold: stated.llm_int8_threshold, profile: "cpu" };
    return { ...given, stated, configText, options };
  }

  it("is written byte for byte as Python wrote it", async () => {
    const { originals, quantized: expected, configText, stated, options } = await prepared();
    const { files } = await quantized(repositoryOf(originals, { "config.json": utf8(configText) }), options);
    expect([...files.keys()].sort()).toEqual(["config.json", "model.safetensors"]);
    expect(identical(files.get("model.safetensors")!, expected)).toBe(true);

    const written = textOf(files.get("config.json"));
    const start = `${configText.slice(0, -"\n}".length)},\n "quantization_config": `;
    expect(written.startsWith(start) && written.endsWith("\n}")).toBe(true);
    expect(JSON.parse(written.slice(start.length, -"\n}".length))).toEqual(stated);
  });

  it("decodes to what Python decodes it to, and its config is as before", async () => {
    const { originals, quantized: bytes, decoded, configText, options } = await prepared();
    const { files } = await quantized(repositoryOf(originals, { "config.json": utf8(configText) }), options);
    const sink = memorySink();
    const input = memoryRepository({ "model.safetensors": bytes, "config.json": files.get("config.json")! });
    const report = await dequantizeCheckpoint(
      input,
      sink,
      options.format === "int8" ? { backend, dtype: "float32" } : { backend },
    );
    const tensors = await tensorsOf(sink.files.get("model.safetensors")!);
    expect([...report.weights].sort()).toEqual(decoded.map((tensor) => tensor.name).sort());
    for (const tensor of decoded) expect(tensors.get(tensor.name), tensor.name).toEqual(tensor);
    const kept = originals.filter((original) => !decoded.some((tensor) => tensor.name === original.name));
    for (const original of kept) expect(tensors.get(original.name), original.name).toEqual(original);
    expect(tensors.size).toBe(originals.length);
    expect(textOf(sink.files.get("config.json"))).toBe(configText);
    await expectExactLayout(sink.files.get("model.safetensors")!);
  });
});

describe("config.json", () => {
  const linear = weight("a.weight", [8, 64]);
  const styles = {
    "one line": '{"model_type": "llama", "rms_norm_eps": 1e-05, "id": 12345678901234567890}',
    compact: '{"model_type":"llama","rms_norm_eps":1E-5}',
    "tabs, CRLF and a line break at the end":
      '{\r\n\t"model_type": "llama",\r\n\t"nested": {\r\n\t\t"x" :  [1.0, 2]\r\n\t}\r\n}\r\n',
    "escapes and characters": '{\n  "a\\u00e9": "\\u65e5 本 \\/",\n  "torch_dtype": "bfloat16"\n}\n',
    "one member": '{\n    "model_type": "llama"\n}',
    "member named like it, but deeper": '{\n  "text_config": {"quantization_config": {}}\n}',
  };

  it.each(Object.entries(styles))("in the style `%s` only gains a member", async (_, text) => {
    const { files } = await quantized(repositoryOf([linear], { "config.json": utf8(text) }), { format: "nf4" });
    const written = textOf(files.get("config.json"));
    const end = text.trimEnd().slice(0, -1).trimEnd();
    expect(written.startsWith(end)).toBe(true);
    expect(written.endsWith(text.slice(end.length))).toBe(true);
    const { quantization_config: added, ...others } = JSON.parse(written);
    expect(others).toEqual(JSON.parse(text));
    expect(added.quant_method).toBe("bitsandbytes");

    const sink = memorySink();
    await dequantizeCheckpoint(memoryRepository(Object.fromEntries(files)), sink, { backend });
    expect(textOf(sink.files.get("config.json"))).toBe(text);
  });

  it("may say null", async () => {
    const text = '{\n  "a": 1,\n  "quantization_config": null,\n  "b": 2\n}\n';
    const { files } = await quantized(repositoryOf([linear], { "config.json": utf8(text) }), { format: "nf4" });
    const written = textOf(files.get("config.json"));
    expect(written.startsWith('{\n  "a": 1,\n  "quantization_config": {')).toBe(true);
    expect(written.endsWith('},\n  "b": 2\n}\n')).toBe(true);
  });

  const all = [
    linear,
    weight("b.weight", [8, 64]),
    weight("lm_head.weight", [8, 64]),
    weight("embed_tokens.weight", [8, 64]),
  ];
  const configAfter = async (options: Options, config: object = {}) => {
    const { files } = await quantized(repositoryOf(all, { "config.json": jsonBytes(config) }), options);
    return JSON.parse(textOf(files.get("config.json"))).quantization_config;
  };

  it.each<[string, Partial<Options>, string[]]>([
    ["the default", {}, ["lm_head"]],
    ["--skip", { skip: ["a"] }, ["lm_head", "a"]],
    ["--only", { only: ["a"] }, ["lm_head", "b", "embed_tokens"]],
    ["--only on what is skipped by default", { only: ["a", "lm_head"] }, ["b", "embed_tokens"]],
    ["a list of one's own", { skipModules: ["b"] }, ["b"]],
  ])("lists the modules that stay as they are: %s", async (_, options, expected) => {
    expect((await configAfter({ format: "nf4", ...options })).llm_int8_skip_modules).toEqual(expected);
  });

  it("states the options", async () => {
    const options: Options = { format: "fp4", nested: true, computeDtype: "bfloat16", quantStorage: "float16" };
    expect(await configAfter(options)).toEqual({
      quant_method: "bitsandbytes",
      _load_in_4bit: true,
      _load_in_8bit: false,
      load_in_4bit: true,
      load_in_8bit: false,
      llm_int8_threshold: 6,
      llm_int8_has_fp16_weight: false,
      llm_int8_skip_modules: ["lm_head"],
      llm_int8_enable_fp32_cpu_offload: false,
      bnb_4bit_quant_type: "fp4",
      bnb_4bit_use_double_quant: true,
      bnb_4bit_compute_dtype: "bfloat16",
      bnb_4bit_quant_storage: "float16",
    });
    expect(await configAfter({ format: "int8", threshold: 3.5 })).toMatchObject({
      load_in_8bit: true,
      load_in_4bit: false,
      llm_int8_threshold: 3.5,
    });
    expect((await configAfter({ format: "nf4" })).bnb_4bit_compute_dtype).toBe("float32");
    expect((await configAfter({ format: "nf4" }, { torch_dtype: "float16" })).bnb_4bit_compute_dtype).toBe("float16");
    expect((await configAfter({ format: "nf4" }, { dtype: "bfloat16" })).bnb_4bit_compute_dtype).toBe("bfloat16");
  });
});

describe("shards", () => {
  const names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"] as const;
  const shards = [
    [
      weight("model.embed_tokens.weight", [16, 64], "bfloat16"),
      weight("model.layers.0.mlp.up_proj.weight", [32, 64], "bfloat16"),
    ],
    [weight("model.layers.1.mlp.up_proj.weight", [32, 64], "bfloat16"), weight("lm_head.weight", [16, 64], "bfloat16")],
  ] as const;
  const placement = Object.fromEntries(shards.flatMap((tensors, i) => tensors.map(({ name }) => [name, names[i]])));
  const others = {
    "tokenizer.json": counting(10_000),
    "README.md": utf8("# model"),
    "empty.txt": new Uint8Array(0),
    "consolidated.safetensors": file([weight("tok_embeddings.weight", [2, 2])]),
    "consolidated.safetensors.index.json": utf8('{"weight_map": {}}'),
    "pytorch_model.bin.index.json": utf8("{}"),
    "pytorch_model.bin": counting(20),
    "model.Q4.gguf": counting(20),
    "tf_model.h5": counting(20),
  };
  const index = { metadata: { total_size: 8192, total_parameters: "4096" }, weight_map: placement };
  const input = memoryRepository({
    [names[0]]: file(shards[0]),
    [names[1]]: file(shards[1]),
    "model.safetensors.index.json": jsonBytes(index),
    "config.json": jsonBytes({ model_type: "llama" }),
    ...others,
  });

  it("keep their names; the index tells where everything is, and how large", async () => {
    const { files, report } = await quantized(input, { format: "nf4", nested: true });
    const written = await Promise.all(names.map(async (name) => [...(await tensorsOf(files.get(name)!)).values()]));
    const size = written.flat().reduce((sum, { bytes }) => sum + bytes.length, 0);
    const map = Object.fromEntries(written.flatMap((tensors, i) => tensors.map(({ name }) => [name, names[i]])));
    expect(JSON.parse(textOf(files.get("model.safetensors.index.json")))).toEqual({
      metadata: { total_size: size, total_parameters: "4096" },
      weight_map: map,
    });
    expect(Object.keys(map)).toHaveLength(2 + 2 * 6);
    expect(map["model.layers.1.mlp.up_proj.weight.quant_state.bitsandbytes__nf4"]).toBe(names[1]);
    expect(report).toMatchObject({ bytesIn: 2 * 96 * 64, bytesOut: size });
    for (const name of names) await expectExactLayout(files.get(name)!);
  });

  it("go back to the same index", async () => {
    const { files } = await quantized(input, { format: "int8" });
    const sink = memorySink();
    await dequantizeCheckpoint(memoryRepository(Object.fromEntries(files)), sink, { backend, dtype: "bfloat16" });
    expect(JSON.parse(textOf(sink.files.get("model.safetensors.index.json")))).toEqual({
      ...index,
      metadata: { ...index.metadata, total_size: 2 * 96 * 64 },
    });
  });

  it("stand beside files that are copied, and weights in other forms that are not", async () => {
    const { files, report } = await quantized(input, { format: "fp4" });
    expect(report.copiedFiles).toEqual(["README.md", "empty.txt", "tokenizer.json"]);
    expect([...report.skippedFiles].sort()).toEqual(
      Object.keys(others)
        .filter((name) => !report.copiedFiles.includes(name))
        .sort(),
    );
    for (const name of report.copiedFiles) expect(files.get(name), name).toEqual(others[name as keyof typeof others]);
    expect([...files.keys()].sort()).toEqual(
      [...names, ...report.copiedFiles, "config.json", "model.safetensors.index.json"].sort(),
    );
  });

  it("may hold nothing to quantize, or nothing at all", async () => {
    const files = {
      "a.safetensors": file([weight("a.weight", [2, 64])]),
      "b.safetensors": file([weight("norm.weight", [64])]),
      "c.safetensors": file([]),
    };
    const result = await quantized(memoryRepository(files), { format: "nf4" });
    expect(result.files.get("b.safetensors")).toEqual(files["b.safetensors"]);
    expect(result.files.get("c.safetensors")).toEqual(files["c.safetensors"]);
  });
});

describe("progress and report", () => {
  const tensors = [
    weight("a.weight", [64, 64]),
    weight("norm.weight", [64]),
    weight("lm_head.weight", [2, 64]),
    weight("b.weight", [3, 33]),
  ];

  it("tells every tensor once, with the bytes so far", async () => {
    const seen: CheckpointProgress[] = [];
    await quantized(repositoryOf(tensors), {
      format: "nf4",
      nested: true,
      onProgress: (progress) => seen.push(progress),
    });
    expect(seen.map(({ tensor }) => tensor).sort()).toEqual(tensors.map(({ name }) => name).sort());
    expect(seen.map(({ done, total }) => [done, total])).toEqual([1, 2, 3, 4].map((done) => [done, 4]));
    const size = (name: string) => tensors.find((tensor) => tensor.name === name)!.bytes.length;
    let bytes = 0;
    for (const progress of seen) {
      bytes += size(progress.tensor);
      expect(progress.bytes).toBe(bytes);
    }
  });

  it("measures how far codes are from weights", async () => {
    const { files, report } = await quantized(repositoryOf(tensors), { format: "nf4" });
    const opened = await openCheckpoint(memoryRepository(Object.fromEntries(files)), { backend });
    for (const { name, bytes } of tensors.filter(({ name }) => /^[ab]\./.test(name))) {
      using weights = await opened.quantized(name);
      using decoded = dequantize(weights);
      const values = (await decoded.read()) as Float32Array;
      const differences = Array.from(viewAs("float32", bytes), (x, i) => Math.abs(x - values[i]!));
      const { error, action } = report.tensors.find((tensor) => tensor.name === name)!;
      expect(action).toBe("quantized");
      expect(error?.maxAbs).toBe(Math.max(...differences));
      const original = Array.from(viewAs("float32", bytes));
      const noise = differences.reduce((sum, d) => sum + d * d, 0);
      const signal = original.reduce((sum, x) => sum + x * x, 0);
      const energy = values.reduce((sum, y) => sum + y * y, 0);
      const product = original.reduce((sum, x, i) => sum + x * values[i]!, 0);
      // Sums of a segment are f32.
      expect(error!.rmse / Math.sqrt(noise / differences.length)).toBeCloseTo(1, 6);
      expect(error?.sqnrDb).toBeCloseTo(10 * Math.log10(signal / noise), 5);
      expect(error?.cosine).toBeCloseTo(product / Math.sqrt(signal * energy), 6);
    }
    expect(report.tensors.map(({ bitsPerWeight }) => bitsPerWeight).filter(Boolean)).toContain(4.5);
    expect(report.bytesIn).toBe(tensors.reduce((sum, { bytes }) => sum + bytes.length, 0));
  });

  it("does not measure when not asked to", async () => {
    const { report } = await quantized(repositoryOf(tensors), { format: "nf4", measure: false });
    expect(report.tensors.every((tensor) => tensor.error === undefined)).toBe(true);
  });

  it("gives the same bytes every time", async () => {
    const runs = await Promise.all([0, 1].map(() => quantized(repositoryOf(tensors), { format: "nf4", nested: true })));
    expect(runs[0]!.files).toEqual(runs[1]!.files);
  });
});

describe("an AbortSignal", () => {
  const tensors = [0, 1, 2].map((i) => weight(`layers.${i}.weight`, [16, 64]));
  const input = () => repositoryOf(tensors, { "tokenizer.json": counting(100), "config.json": utf8("{}") });

  it("that has fired stops before anything", async () => {
    const sink = memorySink();
    const error = await refusal(() =>
      quantizeCheckpoint(input(), sink, { format: "nf4", backend, signal: AbortSignal.abort() }),
    );
    expect(error.code).toBe("ABORTED");
    expect(sink.files.size).toBe(0);
  });

  it.each([1, 2, 3])("stops after tensor %i, and nothing appears", async (after) => {
    const sink = memorySink();
    const controller = new AbortController();
    const seen: string[] = [];
    const onProgress = ({ tensor, done }: CheckpointProgress) => {
      seen.push(tensor);
      if (done === after) controller.abort();
    };
    const error = await refusal(() =>
      quantizeCheckpoint(input(), sink, {
        format: "nf4",
        nested: true,
        backend,
        signal: controller.signal,
        onProgress,
      }),
    );
    expect(error.code).toBe("ABORTED");
    expect(seen).toHaveLength(after);
    expect(sink.files.size).toBe(0);
    expect(backend.memory()).toMatchObject({ tensors: 0, bytes: 0 });
  });

  it("stops dequantizing too", async () => {
    const { files } = await quantized(input(), { format: "nf4" });
    for (const when of [0, 1, 3]) {
      const sink = memorySink();
      const controller = new AbortController();
      if (when === 0) controller.abort();
      const onProgress = ({ done }: CheckpointProgress) => done === when && controller.abort();
      const error = await refusal(() =>
        dequantizeCheckpoint(memoryRepository(Object.fromEntries(files)), sink, {
          backend,
          signal: controller.signal,
          onProgress,
        }),
      );
      expect(error.code).toBe("ABORTED");
      expect(sink.files.size).toBe(0);
    }
  });

  it("that fires in the middle of a write stops there", async () => {
    const controller = new AbortController();
    const inner = memorySink();
    let writes = 0;
    const sink: Sink = {
      ...inner,
      create: async (name, size) => {
        const target = await inner.create(name, size);
        return {
          write(offset, bytes) {
            writes += 1;
            if (writes === 4) controller.abort();
            return target.write(offset, bytes);
          },
          close: () => target.close(),
        };
      },
    };
    const error = await refusal(() =>
      quantizeCheckpoint(input(), sink, { format: "nf4", backend, signal: controller.signal }),
    );
    expect(error.code).toBe("ABORTED");
    expect(inner.files.size).toBe(0);
  });
});

describe("Conv1D weights", () => {
  const conv = weight("h.0.attn.c_attn.weight", [64, 192], "float32", 5);
  const bias = weight("h.0.attn.c_attn.bias", [192]);
  const config = { model_type: "gpt2" };
  const transposed = Float32Array.from(
    { length: 64 * 192 },
    (_, i) => viewAs("float32", conv.bytes)[(i % 64) * 192 + Math.floor(i / 64)]!,
  );

  it.each(["nf4", "int8"])("are turned before quantizing to %s, and back after decoding", async (format) => {
    const turned = await tensorsAfter([conv, bias], { format }, config);
    const straight = await tensorsAfter(
      [floats("h.0.attn.c_attn.weight", [192, 64], transposed), bias],
      { format },
      { model_type: "llama" },
    );
    expect([...turned.values()]).toEqual([...straight.values()]);

    const sink = memorySink();
    const { files } = await quantized(repositoryOf([conv, bias], { "config.json": jsonBytes(config) }), { format });
    await dequantizeCheckpoint(memoryRepository(Object.fromEntries(files)), sink, { backend, dtype: "float32" });
    const back = (await tensorsOf(sink.files.get("model.safetensors")!)).get(conv.name)!;
    expect(back.shape).toEqual([64, 192]);
    const original = viewAs("float32", conv.bytes);
    const worst = Math.max(...viewAs("float32", back.bytes).map((value, i) => Math.abs(value - original[i]!)));
    expect(worst).toBeLessThan(0.08);
  });

  it("give the report the error of the turned weight", async () => {
    const { report } = await quantized(repositoryOf([conv], { "config.json": jsonBytes(config) }), { format: "nf4" });
    expect(report.tensors[0]).toMatchObject({ shape: [192, 64], reason: "Conv1D weight, transposed" });
    expect(report.tensors[0]?.error?.cosine).toBeGreaterThan(0.99);
  });
});

describe("quant storage", () => {
  const linear = weight("a.weight", [16, 64], "bfloat16");

  it.each([
    ["uint8", "U8", 512],
    ["bfloat16", "BF16", 256],
    ["float16", "F16", 256],
    ["float32", "F32", 128],
  ] as const)("%s changes the dtype of the codes, not their bytes", async (quantStorage, dtype, elements) => {
    const [expected, found] = await Promise.all([
      tensorsAfter([linear], { format: "nf4" }),
      tensorsAfter([linear], { format: "nf4", quantStorage }),
    ]);
    expect(found.get("a.weight")).toEqual({ ...expected.get("a.weight")!, dtype, shape: [elements, 1] });
    for (const name of [...expected.keys()].filter((name) => name !== "a.weight"))
      expect(found.get(name)).toEqual(expected.get(name));
  });

  it.each(["bfloat16", "float32"] as const)("%s is read back, with nested statistics", async (quantStorage) => {
    const { files } = await quantized(repositoryOf([linear]), { format: "nf4", nested: true, quantStorage });
    await expectExactLayout(files.get("model.safetensors")!);
    const plain = await quantized(repositoryOf([linear]), { format: "nf4", nested: true });
    const decoded = [];
    for (const { files: written } of [{ files }, plain]) {
      const sink = memorySink();
      await dequantizeCheckpoint(memoryRepository(Object.fromEntries(written)), sink, { backend });
      decoded.push(sink.files.get("model.safetensors"));
    }
    expect(decoded[0]).toEqual(decoded[1]);
  });
});

describe("block sizes", () => {
  it.each([32, 64, 128, 256, 512, 1024, 2048, 4096])(
    "%i: what quantize() gives is what is stored",
    async (blockSize) => {
      const linear = weight("a.weight", [50, 99], "float16", blockSize);
      const stored = await tensorsAfter([linear], { format: "nf4", blockSize });
      using x = backend.tensor("float16", [50, 99], viewAs("float16", linear.bytes));
      using direct = await quantize(x, { format: "nf4", blockSize });
      expect(stored.get("a.weight")?.bytes).toEqual(await direct.codes.read());
      expect(viewAs("float32", stored.get("a.weight.absmax")!.bytes)).toEqual(await direct.scales.absmax.read());
      expect(stored.get("a.weight.absmax")?.shape).toEqual([Math.ceil((50 * 99) / blockSize)]);
      expect(textOf(stored.get("a.weight.quant_state.bitsandbytes__nf4")?.bytes)).toBe(
        `{"quant_type": "nf4", "blocksize": ${blockSize}, "dtype": "float16", "shape": [50, 99]}`,
      );
    },
  );

  it.each([
    [{ format: "nf4", blockSize: 48 }, "UNSUPPORTED_BLOCK_SIZE"],
    [{ format: "int8", blockSize: 64 }, "INVALID_ARGUMENT"],
    [{ format: "int8", nested: true }, "INVALID_ARGUMENT"],
    [{ format: "int8-blockwise" }, "INVALID_ARGUMENT"],
    [{ format: "nf5" }, "UNKNOWN_FORMAT"],
  ] as const)("%j is refused with %s", async (options, code) => {
    expect((await refusal(() => quantized(repositoryOf([weight("a.weight", [2, 64])]), options))).code).toBe(code);
  });
});

describe("a layout that was guessed", () => {
  /** A sink that counts how often the shard was begun. */
  function counted() {
    const inner = memorySink();
    const begun: string[] = [];
    const create: Sink["create"] = (name, size) => {
      begun.push(name);
      return inner.create(name, size);
    };
    return { inner, begun, sink: { ...inner, create } };
  }

  /** Offsets of 0.5 are 16 characters shorter than the guess. */
  const constant = (name: string): Stored => floats(name, [2, 32], new Float32Array(64).fill(0.5));
  const many = Array.from({ length: 60 }, (_, i) => constant(`layers.${String(i).padStart(2, "0")}.weight`));

  it("becomes the exact one, whether or not the header changes its length", async () => {
    const begins = new Set<number>();
    // The filler moves the codes across byte 100 000, where every offset has a digit more.
    for (let filler = 22_000; filler < 27_000; filler += 250) {
      const { inner, begun, sink } = counted();
      const seen: number[] = [];
      const input = repositoryOf([...many, raw("a.filler", "U8", [filler], counting(filler))]);
      const report = await quantizeCheckpoint(input, sink, {
        format: "nf4",
        nested: true,
        measure: false,
        backend,
        onProgress: ({ done }) => seen.push(done),
      });
      begins.add(begun.length);
      const written = inner.files.get("model.safetensors")!;
      await expectExactLayout(written);
      expect((await tensorsOf(written)).get("a.filler")?.bytes).toEqual(counting(filler));
      expect(seen).toEqual(Array.from({ length: 61 }, (_, i) => i + 1));
      expect(report.tensors).toHaveLength(61);
    }
    expect([...begins].sort()).toEqual([1, 2]);
  });

  it("is written once when only what follows moves", async () => {
    const { begun, sink, inner } = counted();
    const behind = raw("a.mask", "BOOL", [33], counting(33));
    await quantizeCheckpoint(repositoryOf([...many.slice(0, 3), behind]), sink, {
      format: "nf4",
      nested: true,
      backend,
    });
    expect(begun).toEqual(["model.safetensors"]);
    await expectExactLayout(inner.files.get("model.safetensors")!);
  });

  const u8 = (name: string): Stored => raw(name, "U8", [33], counting(33));
  it.each<[string, string[]]>([
    ["a copy between a weight and its side tensors", ["a.weight", "a.weight-x"]],
    [
      "a copy among the side tensors",
      ["a.weight", "a.weight.b", "a.weight.nested_b", "a.weight.quant_n", "a.weight.z"],
    ],
    ["a weight between another weight and its side tensors", ["a.weight", "a.weight-x.weight", "a.weight.x.weight"]],
    ["names in which UTF-16 and UTF-8 differ", ["\u{1f600}.weight", "\uff5e.weight", "\uff5e.copy", "\u{1f600}.copy"]],
    ["names that are integers", ["10.weight", "9.weight", "10", "9"]],
  ])("copes with %s", async (_, names) => {
    const tensors = names.map((name) => (name.endsWith(".weight") ? constant(name) : u8(name)));
    const { inner, sink } = counted();
    await quantizeCheckpoint(repositoryOf(tensors), sink, { format: "nf4", nested: true, backend });
    const written = inner.files.get("model.safetensors")!;
    await expectExactLayout(written);
    const stored = await tensorsOf(written);
    const alone = await tensorsAfter([constant("a.weight")], { format: "nf4", nested: true });
    for (const { name } of tensors.filter((tensor) => tensor.dtype === "U8"))
      expect(stored.get(name), name).toEqual(u8(name));
    for (const { name } of tensors.filter((tensor) => tensor.dtype !== "U8"))
      for (const [side, tensor] of alone)
        expect(stored.get(side.replace("a.weight", () => name))?.bytes, name).toEqual(tensor.bytes);
  });
});

describe("other dtypes", () => {
  it("are carried through unchanged", async () => {
    const widths = { F64: 8, I64: 8, I32: 4, I16: 2, F8_E4M3: 1, F8_E5M2: 1, I8: 1, U8: 1, BOOL: 1 } as const;
    const copies = Object.entries(widths).flatMap(([dtype, width]) =>
      [`a.${dtype}.weight`, `z.${dtype}`].map((name) =>
        raw(name, dtype as keyof typeof widths, [5, 3], counting(15 * width)),
      ),
    );
    const empty = [raw("empty", "F32", [0, 4], new Uint8Array(0)), raw("scalar", "BF16", [], counting(2))];
    const stored = [...copies, ...empty, weight("m.weight", [4, 64])];
    for (const nested of [false, true]) {
      const { files, report } = await quantized(repositoryOf(stored), { format: "nf4", nested });
      const written = await tensorsOf(files.get("model.safetensors")!);
      for (const copy of [...copies, ...empty]) expect(written.get(copy.name)).toEqual(copy);
      expect(report.tensors.filter(({ action }) => action === "copied")).toHaveLength(copies.length + 2);
      await expectExactLayout(files.get("model.safetensors")!);

      const sink = memorySink();
      await dequantizeCheckpoint(memoryRepository(Object.fromEntries(files)), sink, { backend });
      const back = await tensorsOf(sink.files.get("model.safetensors")!);
      for (const copy of [...copies, ...empty]) expect(back.get(copy.name)).toEqual(copy);
      expect(back.get("m.weight")).toMatchObject({ dtype: "F32", shape: [4, 64] });
    }
  });

  it("have their metadata kept", async () => {
    const bytes = writeSafetensors([weight("a.weight", [2, 64])], { format: "pt", author: "日本", "": "x" });
    const { files } = await quantized(memoryRepository({ "model.safetensors": bytes }), { format: "nf4" });
    const again = writeSafetensors([...(await tensorsOf(files.get("model.safetensors")!)).values()], {
      format: "pt",
      author: "日本",
      "": "x",
    });
    expect(files.get("model.safetensors")).toEqual(again);
  });

  it.each(["float32", "float16", "bfloat16"] as const)("of the decoded weights: %s", async (dtype) => {
    const { files } = await quantized(repositoryOf([weight("a.weight", [4, 64], "float16")]), { format: "nf4" });
    const sink = memorySink();
    await dequantizeCheckpoint(memoryRepository(Object.fromEntries(files)), sink, { backend, dtype });
    const opened = await openCheckpoint(memoryRepository(Object.fromEntries(files)), { backend });
    using quantizedWeight = await opened.quantized("a.weight");
    using decoded = dequantize(quantizedWeight, { dtype });
    expect(viewAs(dtype, (await tensorsOf(sink.files.get("model.safetensors")!)).get("a.weight")!.bytes)).toEqual(
      await decoded.read(),
    );
  });

  it("of int8 weights are what the config says, else float16", async () => {
    for (const [config, dtype] of [
      [{ torch_dtype: "bfloat16" }, "BF16"],
      [{}, "F16"],
    ] as const) {
      const { files } = await quantized(
        repositoryOf([floats("a.weight", [4, 64], normals(256, 1), "float32")], { "config.json": jsonBytes(config) }),
        { format: "int8" },
      );
      const sink = memorySink();
      await dequantizeCheckpoint(memoryRepository(Object.fromEntries(files)), sink, { backend });
      expect((await tensorsOf(sink.files.get("model.safetensors")!)).get("a.weight")?.dtype).toBe(dtype);
    }
  });
});

describe("tensors and files that are read in several pieces", () => {
  const shape = [1025, 2051];
  const large = floats("a.weight", shape, normals(1025 * 2051, 1));
  const bytes = new Uint8Array((9 << 20) + 8).map((_, i) => (i >> 10) ^ i);

  it.each(["nf4", "int8"])("give what they give in one piece: %s", async (format) => {
    const copied = raw("b.ids", "I64", [bytes.length / 8], bytes);
    const input = memoryRepository({ "model.safetensors": file([large, copied]), "tokenizer.json": bytes });
    const { files, report } = await quantized(input, { format });
    const opened = await openCheckpoint(memoryRepository(Object.fromEntries(files)), { backend });
    using fromFile = await opened.quantized("a.weight");
    using x = backend.tensor("float32", shape, viewAs("float32", large.bytes));
    using half = backend.tensor("float16", shape, fromFloat32("float16", viewAs("float32", large.bytes)));
    using direct = await quantize(format === "int8" ? half : x, { format: fromFile.format });
    expect(identical(bytesOf(await fromFile.codes.read()), bytesOf(await direct.codes.read()))).toBe(true);
    expect(await fromFile.scales.absmax.read()).toEqual(await direct.scales.absmax.read());
    expect(identical(await opened.read("b.ids"), bytes)).toBe(true);
    expect(identical(files.get("tokenizer.json")!, bytes)).toBe(true);

    using decoded = dequantize(direct, { dtype: "float32" });
    const [original, values] = [viewAs("float32", large.bytes), await decoded.read()];
    let [worst, noise, signal] = [0, 0, 0];
    for (const [i, value] of original.entries()) {
      const difference = Math.abs(value - values[i]!);
      worst = Math.max(worst, difference);
      noise += difference * difference;
      signal += value * value;
    }
    const { error } = report.tensors.find(({ name }) => name === "a.weight")!;
    expect(error?.maxAbs).toBe(worst);
    expect(error?.sqnrDb).toBeCloseTo(10 * Math.log10(signal / noise), 6);
  });
});
