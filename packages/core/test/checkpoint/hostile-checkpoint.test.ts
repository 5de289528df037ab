import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Backend,
  dequantizeCheckpoint,
  memoryRepository,
  memorySink,
  openBackend,
  openCheckpoint,
  quantizeCheckpoint,
  type Sink,
} from "../../src/index.js";
import { folderSink } from "../../src/node.js";
import { counted, refusal } from "./fixtures.js";
import { type HostileCheckpoint, hostileCheckpoints, validCheckpoints } from "./hostile-checkpoints.js";

let backend: Backend;
let folder: string;
beforeAll(async () => {
  backend = await openBackend([]);
  folder = mkdtempSync(join(tmpdir(), "halfbyte-hostile-"));
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await backend.dispose();
});

type Files = HostileCheckpoint["files"];

const repositoryOf = (files: Files) => counted(memoryRepository(files, "hostile"));

async function load(files: Files, repository = repositoryOf(files)): Promise<void> {
  const opened = await openCheckpoint(repository, { backend });
  try {
    if (opened.quantizedNames().length === 0)
      throw Object.assign(new Error("hostile"), { code: "NOT_QUANTIZED", remedy: "-", details: { file: "hostile" } });
    for (const name of opened.quantizedNames()) (await opened.quantized(name)).dispose();
  } finally {
    await opened.close();
  }
}

function write({ files, quantize }: HostileCheckpoint, sink: Sink, repository = repositoryOf(files)): Promise<unknown> {
  if (quantize) return quantizeCheckpoint(repository, sink, { format: "nf4", ...quantize, backend });
  return dequantizeCheckpoint(repository, sink, { backend, dtype: "float32" });
}

describe("hostile checkpoints", () => {
  it.each(validCheckpoints)("are made from checkpoints that open and dequantize", async (files) => {
    await load(files);
    const sink = memorySink();
    await write({ name: "valid", code: "ABORTED", files }, sink);
    expect([...sink.files.keys()]).toEqual(["model.safetensors"]);
  });

  it("have distinct names", () => {
    expect(new Set(hostileCheckpoints.map(({ name }) => name)).size).toBe(hostileCheckpoints.length);
  });

  it.each(hostileCheckpoints)("$code: $name", async (hostile) => {
    const sink = memorySink();
    const repository = repositoryOf(hostile.files);
    const error = await refusal(() => write(hostile, sink, repository));
    expect(error.code, error.message).toBe(hostile.code);
    expect(error.remedy).toMatch(/\w/);
    expect(sink.files.size).toBe(0);
    expect(repository.unclosed()).toBe(0);
    expect(backend.memory()).toMatchObject({ tensors: 0, bytes: 0 });
  });

  it.each(hostileCheckpoints)("$name: the error names $names", async (hostile) => {
    const error = await refusal(() => write(hostile, memorySink()));
    expect(error.message).toContain(JSON.stringify(hostile.names).slice(1, -1));
    expect([error.details?.["tensor"], error.details?.["file"]]).toContain(hostile.names);
    expect(error.details?.["index"]).toBe(hostile.index);
    expect(error.message.length).toBeLessThan(1000);
  });

  it.each(hostileCheckpoints)("$name: nothing is left on disk", async (hostile) => {
    const out = join(folder, "out");
    const error = await refusal(async () => write(hostile, await folderSink(out)));
    expect(error.code).toBe(hostile.code);
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each(hostileCheckpoints.filter(({ quantize }) => !quantize))(
    "$name: loading a weight says the same",
    async ({ code, files }) => {
      const repository = repositoryOf(files);
      expect((await refusal(() => load(files, repository))).code).toBe(code);
      expect(repository.unclosed()).toBe(0);
      expect(backend.memory()).toMatchObject({ tensors: 0, bytes: 0 });
    },
  );
});
