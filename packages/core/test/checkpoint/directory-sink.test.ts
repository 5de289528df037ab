/** The sink of browsers, over a folder that behaves like theirs: files appear when their stream closes, open files are locked. */
import { describe, expect, it } from "vitest";
import { directorySink, openBackend, quantizeCheckpoint, type Sink } from "../../src/index.js";
import { refusal, repositoryOf, utf8, weight } from "./fixtures.js";

type Chunk = { type: "write"; position: number; data: Uint8Array };

class FakeFolder {
  readonly name = "model-nf4";
  readonly files = new Map<string, Uint8Array>();
  readonly #open = new Set<string>();
  broken: string | undefined;

  async getFileHandle(name: string, { create = false } = {}) {
    if (this.broken) throw new DOMException("the browser says no", this.broken);
    if (!this.files.has(name) && !create) throw new DOMException(`no ${name}`, "NotFoundError");
    if (!this.files.has(name)) this.files.set(name, new Uint8Array(0));
    return { createWritable: async () => this.#writable(name) };
  }

  async removeEntry(name: string): Promise<void> {
    if (this.#open.has(name)) throw new DOMException(`${name} is locked`, "NoModificationAllowedError");
    if (!this.files.delete(name)) throw new DOMException(`no ${name}`, "NotFoundError");
  }

  #writable(name: string) {
    let content = new Uint8Array(0);
    this.#open.add(name);
    return {
      write: async ({ position, data }: Chunk) => {
        const larger = new Uint8Array(Math.max(content.length, position + data.length));
        larger.set(content);
        larger.set(data, position);
        content = larger;
      },
      close: async () => {
        this.#open.delete(name);
        this.files.set(name, content);
      },
      abort: async () => void this.#open.delete(name),
    };
  }
}

const sinkOf = (folder: FakeFolder): Sink => directorySink(folder as unknown as FileSystemDirectoryHandle);
const linear = weight("a.weight", [4, 64]);

describe("directorySink", () => {
  it("holds the checkpoint after commit", async () => {
    const folder = new FakeFolder();
    await using backend = await openBackend([]);
    const report = await quantizeCheckpoint(repositoryOf([linear], { "config.json": utf8("{}") }), sinkOf(folder), {
      format: "nf4",
      nested: true,
      backend,
    });
    expect([...folder.files.keys()].sort()).toEqual(["config.json", "model.safetensors"]);
    expect(folder.files.get("model.safetensors")!.length).toBeGreaterThan(report.bytesOut);
  });

  it("holds nothing after a failure, closed and open files alike", async () => {
    const folder = new FakeFolder();
    const sink = sinkOf(folder);
    const done = await sink.create("done", 1);
    await done.write(0, utf8("x"));
    await done.close();
    await (await sink.create("open", 1)).write(0, utf8("x"));
    await sink.abort();
    expect(folder.files.size).toBe(0);
  });

  it("refuses to write over files that were there, and leaves them", async () => {
    const folder = new FakeFolder();
    folder.files.set("model.safetensors", utf8("the user's"));
    await using backend = await openBackend([]);
    const error = await refusal(() =>
      quantizeCheckpoint(repositoryOf([linear]), sinkOf(folder), { format: "nf4", backend }),
    );
    expect(error).toMatchObject({ code: "OUTPUT_EXISTS", details: { file: "model.safetensors" } });
    expect([...folder.files]).toEqual([["model.safetensors", utf8("the user's")]]);
  });

  it("may write a file of its own twice", async () => {
    const folder = new FakeFolder();
    const sink = sinkOf(folder);
    for (const text of ["longer text", "text"]) {
      const target = await sink.create("a", 1);
      await target.write(0, utf8(text));
      await target.close();
    }
    await sink.commit();
    expect(folder.files.get("a")).toEqual(utf8("text"));
  });

  it.each([
    ["NotFoundError", "WRITE_FAILED"],
    ["NotAllowedError", "DESTINATION_NOT_WRITABLE"],
    ["QuotaExceededError", "DESTINATION_FULL"],
  ])("reports %s as %s, and not what goes wrong while cleaning up", async (name, code) => {
    const folder = new FakeFolder();
    folder.broken = name;
    await using backend = await openBackend([]);
    const error = await refusal(() =>
      quantizeCheckpoint(repositoryOf([linear]), sinkOf(folder), { format: "nf4", backend }),
    );
    expect(error).toMatchObject({ code, details: { file: "model.safetensors" } });
    expect(error.message).toContain("the browser says no");
  });
});
