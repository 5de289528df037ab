/** Output on disk is complete or absent, whatever happens on the way (Node only). */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type Backend, dequantizeCheckpoint, openBackend, quantizeCheckpoint, type Sink } from "../../src/index.js";
import { folderRepository, folderSink, singleFileSink } from "../../src/node.js";
import { file, identical, refusal, utf8, weight } from "./fixtures.js";

let backend: Backend;
let root: string;
beforeAll(async () => {
  backend = await openBackend([]);
});
afterAll(() => backend.dispose());
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "halfbyte-disk-"));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(root, { recursive: true, force: true });
});

const at = (...names: string[]): string => join(root, ...names);
const bytesAt = (path: string): Uint8Array => new Uint8Array(readFileSync(path));
const read = (...names: string[]): string => readFileSync(at(...names), "utf8");

async function put(sink: Sink, name: string, text: string): Promise<void> {
  const target = await sink.create(name, text.length);
  await target.write(0, utf8(text));
  await target.close();
}

async function written(sink: Sink, text = "new"): Promise<void> {
  await put(sink, "model.safetensors", text);
  await sink.commit();
}

/** An existing destination: a folder with one file. */
function occupy(name: string, text = "old"): string {
  mkdirSync(at(name));
  writeFileSync(at(name, "model.safetensors"), text);
  return at(name);
}

describe("folderSink", () => {
  it("shows nothing before commit, everything after", async () => {
    const sink = await folderSink(at("out"));
    await put(sink, "a.json", "{}");
    expect(readdirSync(root)).toEqual([`out.partial-${process.pid}`]);
    await written(sink);
    expect(readdirSync(root)).toEqual(["out"]);
    expect(readdirSync(at("out")).sort()).toEqual(["a.json", "model.safetensors"]);
  });

  it("leaves nothing after abort, open files included", async () => {
    const sink = await folderSink(at("deep", "out"));
    const target = await sink.create("a.json", 10);
    await target.write(5, utf8("later"));
    await sink.abort();
    expect(readdirSync(at("deep"))).toEqual([]);
  });

  it("takes writes in any order, and the last of two files of one name", async () => {
    const sink = await folderSink(at("out"));
    await put(sink, "a", "a longer text that is replaced");
    const target = await sink.create("a", 4);
    await target.write(2, utf8("cd"));
    await target.write(0, utf8("ab"));
    await target.close();
    await target.close();
    await sink.commit();
    expect(read("out", "a")).toBe("abcd");
  });

  it.each(["../a", "b/c", "", "..", "C:d"])("refuses the file name %j", async (name) => {
    const sink = await folderSink(at("out"));
    expect((await refusal(() => sink.create(name, 0))).code).toBe("SHARD_NAME_UNSAFE");
    await sink.abort();
    expect(readdirSync(root)).toEqual([]);
  });
});

describe("an existing destination", () => {
  it("is refused and untouched", async () => {
    occupy("out");
    const error = await refusal(() => folderSink(at("out")));
    expect(error).toMatchObject({ code: "OUTPUT_EXISTS", details: { file: at("out") } });
    expect(error.remedy).toContain("--force");
    expect(read("out", "model.safetensors")).toBe("old");
    expect(readdirSync(root)).toEqual(["out"]);
  });

  it.each(["a file", "an empty folder", "a broken link"])("is refused when it is %s", async (kind) => {
    if (kind === "a file") writeFileSync(at("out"), "");
    else if (kind === "an empty folder") mkdirSync(at("out"));
    else symlinkSync(at("nowhere"), at("out"));
    expect((await refusal(() => folderSink(at("out")))).code).toBe("OUTPUT_EXISTS");
    expect((await refusal(() => singleFileSink(at("out")))).code).toBe("OUTPUT_EXISTS");
  });

  it("that appears meanwhile is refused and untouched", async () => {
    const sink = await folderSink(at("out"));
    occupy("out");
    expect((await refusal(() => written(sink))).code).toBe("OUTPUT_EXISTS");
    await sink.abort();
    expect(read("out", "model.safetensors")).toBe("old");
    expect(readdirSync(root)).toEqual(["out"]);
  });

  it("stands until the new one does, with force", async () => {
    occupy("out");
    const sink = await folderSink(at("out"), { force: true });
    await put(sink, "config.json", "{}");
    expect(read("out", "model.safetensors")).toBe("old");
    await written(sink);
    expect(read("out", "model.safetensors")).toBe("new");
    expect(readdirSync(root)).toEqual(["out"]);
  });

  it("is kept when a run with force fails", async () => {
    occupy("out");
    const sink = await folderSink(at("out"), { force: true });
    await put(sink, "config.json", "{}");
    await sink.abort();
    expect(read("out", "model.safetensors")).toBe("old");
    expect(readdirSync(root)).toEqual(["out"]);
  });

  it("is put back when the new one cannot take its place", async () => {
    occupy("out");
    const sink = await folderSink(at("out"), { force: true });
    rmSync(at(`out.partial-${process.pid}`), { recursive: true });
    expect((await refusal(() => sink.commit())).code).toBe("DESTINATION_NOT_WRITABLE");
    expect(read("out", "model.safetensors")).toBe("old");
    expect(readdirSync(root)).toEqual(["out"]);
  });

  it("may be a file, or absent, with force", async () => {
    writeFileSync(at("out"), "old");
    await written(await folderSink(at("out"), { force: true }));
    await written(await folderSink(at("fresh"), { force: true }));
    expect(readdirSync(root).sort()).toEqual(["fresh", "out"]);
    expect(read("out", "model.safetensors")).toBe("new");
  });
});

describe("singleFileSink", () => {
  it("gives the writer's file the name of the destination", async () => {
    await written(await singleFileSink(at("deep", "out.safetensors")), "codes");
    expect(read("deep", "out.safetensors")).toBe("codes");
    expect(readdirSync(at("deep"))).toEqual(["out.safetensors"]);
  });

  it("replaces a file with force, and keeps it when the run fails", async () => {
    writeFileSync(at("out.safetensors"), "old");
    const failing = await singleFileSink(at("out.safetensors"), { force: true });
    await put(failing, "model.safetensors", "half");
    await failing.abort();
    expect(read("out.safetensors")).toBe("old");
    await written(await singleFileSink(at("out.safetensors"), { force: true }));
    expect(read("out.safetensors")).toBe("new");
    expect(readdirSync(root)).toEqual(["out.safetensors"]);
  });
});

describe("a destination that cannot be written", () => {
  it.each([["out"], ["deep", "out"]])("below a plain file: %s", async (...names) => {
    writeFileSync(at("plain"), "text");
    for (const open of [folderSink, singleFileSink]) {
      const error = await refusal(() => open(at("plain", ...names)));
      expect(error.code, error.message).toBe("DESTINATION_NOT_WRITABLE");
      expect(error.details?.["file"]).toContain("plain");
    }
    expect(read("plain")).toBe("text");
    expect(readdirSync(root)).toEqual(["plain"]);
  });
});

describe("what an interrupted run left behind", () => {
  /** The id of a process that has ended. */
  async function deadPid(): Promise<number> {
    const child = spawn(process.execPath, ["-e", ""]);
    await ended(child);
    return child.pid!;
  }

  it("is removed with a notice when its process is gone", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const stale = occupy(`out.partial-${await deadPid()}`);
    await written(await folderSink(at("out")));
    expect(readdirSync(root)).toEqual(["out"]);
    expect(warn).toHaveBeenCalledOnce();
    expect(warn.mock.calls[0]?.[0]).toContain(stale);
  });

  it("is kept while its process runs", async () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    try {
      const live = `out.partial-${child.pid}`;
      occupy(live);
      await written(await folderSink(at("out")));
      expect(readdirSync(root).sort()).toEqual(["out", live]);
    } finally {
      child.kill("SIGKILL");
      await ended(child);
    }
  });

  it("is left alone when it is somebody else's", async () => {
    const names = [
      "out.partial-",
      "out.partial-x",
      "out.partial-1.5",
      "other.partial-999999999",
      "out.partial",
      "my-out.partial-999999999",
    ];
    for (const name of names) occupy(name);
    await written(await folderSink(at("out")));
    expect(readdirSync(root).sort()).toEqual([...names, "out"].sort());
  });
});

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((done) => ((child.exitCode ?? child.signalCode) === null ? child.once("exit", () => done()) : done()));

// ── Whole runs ──

const layers = Array.from({ length: 12 }, (_, i) => weight(`layers.${i}.weight`, [64, 256], "float32", i));

function writeModel(): string {
  mkdirSync(at("model"));
  writeFileSync(at("model", "model.safetensors"), file(layers));
  writeFileSync(at("model", "config.json"), '{"model_type": "llama"}');
  writeFileSync(at("model", "tokenizer.json"), "{}");
  return at("model");
}

/** Names, contents and times of a folder's files. */
const stateOf = (folder: string): string[] =>
  readdirSync(folder).map(
    (name) =>
      `${name} ${createHash("sha256")
        .update(bytesAt(join(folder, name)))
        .digest("hex")} ${statSync(join(folder, name)).mtimeMs}`,
  );

const repositoryRoot = fileURLToPath(new URL("../../../../", import.meta.url));
const source = (name: string): string => new URL(`../../src/${name}`, import.meta.url).href;

/** A process that quantizes `model` to `out`; it says `tensor` after each tensor and stops for good after the third one when `stuck`. */
function quantizing(setup: string, stuck: boolean): ChildProcess {
  const script = `
    const { openBackend, quantizeCheckpoint } = await import(${JSON.stringify(source("index.ts"))});
    const { folderRepository, folderSink } = await import(${JSON.stringify(source("node.ts"))});
    const onProgress = ({ done }) => {
      process.stdout.write("tensor\\n");
      if (${stuck} && done === 3) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    };
    try {
      const sink = await folderSink(${JSON.stringify(at("out"))});
      await quantizeCheckpoint(await folderRepository(${JSON.stringify(at("model"))}), sink, { format: "nf4", backend: await openBackend([]), onProgress });
      process.stdout.write("done\\n");
    } catch (error) {
      process.stdout.write(JSON.stringify({ code: error.code, remedy: error.remedy, message: error.message }) + "\\n");
    }`;
  const command = `${setup} exec "$0" --conditions=@halfbyte/source --import tsx --input-type=module -e "$1"`;
  return spawn("sh", ["-c", command, process.execPath, script], {
    cwd: repositoryRoot,
    env: { ...process.env, TSX_DISABLE_CACHE: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Everything the process prints until `enough` holds or it ends. */
async function outputOf(child: ChildProcess, enough: (text: string) => boolean = () => false): Promise<string> {
  let text = "";
  child.stderr!.on("data", (piece) => (text += piece));
  await new Promise<void>((done) => {
    child.stdout!.on("data", (piece) => {
      text += piece;
      if (enough(text)) done();
    });
    child.once("close", () => done());
  });
  return text;
}

describe.skipIf(process.platform === "win32")("a run", () => {
  it("that is killed leaves no destination and the input as it was; the next one cleans up", async () => {
    const before = stateOf(writeModel());
    const child = quantizing("", true);
    await outputOf(child, (text) => text.split("tensor\n").length > 3);
    child.kill("SIGKILL");
    await ended(child);
    const partial = `out.partial-${child.pid}`;
    expect(readdirSync(root).sort()).toEqual(["model", partial]);
    expect(statSync(at(partial, "model.safetensors")).size).toBeGreaterThan(0);
    expect(stateOf(at("model"))).toEqual(before);

    vi.spyOn(console, "warn").mockImplementation(() => undefined);
    await quantizeCheckpoint(await folderRepository(at("model")), await folderSink(at("out")), {
      format: "nf4",
      backend,
    });
    expect(readdirSync(root).sort()).toEqual(["model", "out"]);
    expect(readdirSync(at("out")).sort()).toEqual(["config.json", "model.safetensors", "tokenizer.json"]);
    expect(stateOf(at("model"))).toEqual(before);
  });

  it("that runs out of space says so and leaves nothing", async () => {
    const before = stateOf(writeModel());
    const text = await outputOf(quantizing("ulimit -f 64; trap '' XFSZ;", false));
    const error = JSON.parse(text.slice(text.indexOf("{"))) as { code: string; remedy: string; message: string };
    expect(error.code, error.message).toBe("DESTINATION_FULL");
    expect(error.remedy).toMatch(/\w/);
    expect(error.message).toContain("model.safetensors");
    expect(readdirSync(root)).toEqual(["model"]);
    expect(stateOf(at("model"))).toEqual(before);
  });

  it("works as a process, too", async () => {
    writeModel();
    expect(await outputOf(quantizing("", false))).toContain("done\n");
    const options = { format: "nf4", backend } as const;
    await quantizeCheckpoint(await folderRepository(at("model")), await folderSink(at("here")), options);
    for (const name of readdirSync(at("here")))
      expect(identical(bytesAt(at("out", name)), bytesAt(at("here", name))), name).toBe(true);
    await dequantizeCheckpoint(await folderRepository(at("out")), await folderSink(at("back")), { backend });
    expect(read("back", "config.json")).toBe(read("model", "config.json"));
    expect(existsSync(at("back", "tokenizer.json"))).toBe(true);
  });
});
