import { mkdir, mkdtemp, realpath, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fileRepository, fileSource, folderRepository } from "./node-source.js";
import {
  blobSource,
  bytesSource,
  checkFileName,
  httpRepository,
  httpSource,
  memoryRepository,
  type Repository,
  type Source,
} from "./source.js";

const content = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);

const refused = (code: string, details: object = {}): object =>
  expect.objectContaining({ code, remedy: expect.stringMatching(/\w/), details: expect.objectContaining(details) });

// ── A server that behaves as the first part of the path says ────────────────────────────────────────────────
interface Reply {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: Uint8Array | string;
  /** After the body: leave the answer open, or hang up. */
  readonly ending?: "hang" | "break";
}
type Behaviour = (range: readonly [number, number] | undefined, request: IncomingMessage) => Reply;

const part = (begin: number, end: number, headers: Record<string, string> = {}): Reply => ({
  status: 206,
  headers: { "content-range": `bytes ${begin}-${end}/${content.length}`, etag: '"1"', ...headers },
  body: content.subarray(begin, end + 1),
});
const after = (first: Behaviour, later: Behaviour): Behaviour => {
  return (range, request) => (range?.[1] === 0 ? first(range, request) : later(range, request));
};
const good: Behaviour = (range) => (range === undefined ? { status: 200, body: content } : part(...range));
const index = (shard: string): string =>
  JSON.stringify({ metadata: {}, weight_map: { "a.weight": shard, "b.weight": "1.safetensors" } });

const behaviours: Readonly<Record<string, Behaviour>> = {
  good,
  whole: () => ({ status: 200, body: content }),
  "no-content-range": () => ({ status: 206, body: content.subarray(0, 1) }),
  "no-size": () => ({ status: 206, headers: { "content-range": "bytes 0-0/*" }, body: content.subarray(0, 1) }),
  empty: () => ({ status: 416, headers: { "content-range": "bytes */0" } }),
  "new-etag": after(good, ([begin, end] = [0, 0]) => part(begin, end, { etag: '"2"' })),
  "new-size": after(good, ([begin, end] = [0, 0]) =>
    part(begin, end, { "content-range": `bytes ${begin}-${end}/999` }),
  ),
  "other-range": after(good, ([begin, end] = [0, 0]) => part(begin + 1, end + 1)),
  "whole-later": after(good, () => ({ status: 200, headers: { etag: '"1"' }, body: content })),
  "gone-later": after(good, () => ({ status: 404 })),
  short: after(good, ([begin, end] = [0, 0]) => ({ ...part(begin, end), body: content.subarray(begin, end) })),
  long: after(good, ([begin, end] = [0, 0]) => ({ ...part(begin, end), body: content.subarray(begin, end + 3) })),
  hang: after(good, ([begin, end] = [0, 0]) => ({ ...part(begin, end), body: "xyz", ending: "hang" })),
  broken: after(good, ([begin, end] = [0, 0]) => ({ ...part(begin, end), body: "xyz", ending: "break" })),
  denied: () => ({ status: 403 }),
  token: (range, request) => (request.headers.authorization === "Bearer t" ? good(range, request) : { status: 401 }),
};

/** Folders of files for the repository. */
const folders: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  single: { "config.json": "{}", "model.safetensors": "x" },
  bare: { "model.safetensors": "x" },
  sharded: { "config.json": "{}", "model.safetensors.index.json": index("2.safetensors"), "1.safetensors": "x" },
  unsafe: { "model.safetensors.index.json": index("../2.safetensors") },
  "bad-index": { "model.safetensors.index.json": '{"weight_map":{"a":1}}' },
  "no-index-json": { "model.safetensors.index.json": "{" },
  nothing: { "config.json": "{}" },
};

function replyTo(request: IncomingMessage): Reply {
  const [, kind = "", file = ""] = decodeURIComponent(request.url?.replace(/\?.*/, "") ?? "").split("/");
  const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
  const range = match === null ? undefined : ([Number(match[1]), Number(match[2])] as const);
  const text = folders[kind]?.[file];
  if (text !== undefined) return range === undefined ? { status: 200, body: text } : oneByte(text);
  return behaviours[kind]?.(range, request) ?? { status: 404 };
}

const oneByte = (text: string): Reply => ({
  status: 206,
  headers: { "content-range": `bytes 0-0/${text.length}` },
  body: text[0]!,
});

function respond(request: IncomingMessage, response: ServerResponse): void {
  const { status, headers, body, ending } = replyTo(request);
  response.writeHead(status, headers);
  if (ending === undefined) response.end(body);
  else response.write(body, () => ending === "break" && response.destroy());
}

let server: Server;
let origin: string;
let folder: string;

beforeAll(async () => {
  server = createServer(respond);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  folder = await realpath(await mkdtemp(join(tmpdir(), "halfbyte-source-")));
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});

const url = (path: string): string => `${origin}/${path}`;

const fileOf = async (name: string, bytes: Uint8Array | string = content): Promise<string> => {
  await writeFile(join(folder, name), bytes);
  return join(folder, name);
};

// ── What every source does ──────────────────────────────────────────────────────────────────────────────────
const sources: readonly { kind: string; open: () => Source | Promise<Source> }[] = [
  { kind: "bytes", open: () => bytesSource(content) },
  { kind: "a view of bytes", open: () => bytesSource(new Uint8Array([7, ...content, 7]).subarray(1, 1001)) },
  { kind: "a blob", open: () => blobSource(new Blob([content])) },
  { kind: "http", open: () => httpSource(url("good")) },
  { kind: "a file", open: async () => fileSource(await fileOf("content.bin")) },
  { kind: "memory repository", open: () => memoryRepository({ "c.bin": content }).open("c.bin") },
];

describe.each(sources)("a source of $kind", ({ open }) => {
  it("may read into memory of the caller", async () => {
    const source = await open();
    const into = new Uint8Array(64);
    for (const [offset, length] of [
      [3, 64],
      [100, 5],
      [0, 1000],
    ] as const)
      expect([...(await source.read(offset, length, undefined, into))]).toEqual([
        ...content.subarray(offset, offset + length),
      ]);
    await source.close();
  });

  it("reads any range", async () => {
    const source = await open();
    expect(source.size).toBe(1000);
    for (const [offset, length] of [
      [0, 1000],
      [0, 1],
      [999, 1],
      [1, 998],
      [500, 0],
      [1000, 0],
    ] as const)
      expect([...(await source.read(offset, length))]).toEqual([...content.subarray(offset, offset + length)]);
    await source.close();
    await source.close();
  });

  it.each([
    [999, 2, 1],
    [1001, 0, 0],
    [0, 1001, 1000],
    [2000, 10, 0],
    [-1, 2, 0],
    [0, -1, 0],
    [0.5, 1, 0],
    [0, NaN, 0],
  ])("refuses %d, %d", async (offset, expected, found) => {
    const source = await open();
    const details = { file: source.name, offset, expected, found };
    await expect(source.read(offset, expected)).rejects.toEqual(refused("READ_FAILED", details));
    await source.close();
  });

  it("stops when the signal fires", async () => {
    const source = await open();
    const reason = new Error("enough");
    const read = source.read(0, 10, AbortSignal.abort(reason));
    await expect(read).rejects.toMatchObject({ code: "ABORTED", cause: reason });
    await source.close();
  });
});

describe("names", () => {
  it("are those of the files", () => {
    expect(blobSource(new File([content], "m.safetensors")).name).toBe("m.safetensors");
    expect(blobSource(new Blob([])).name).toBe("blob");
    expect(bytesSource(content, "x").name).toBe("x");
  });

  it.each(["", ".", "..", "a/b", "/a", "a\\b", "..\\a", "C:a", "c:", "a:stream", "a\0", "a\nb", "\u007f", "a\u0085"])(
    "%j is refused",
    (name) => expect(() => checkFileName(name)).toThrow(refused("SHARD_NAME_UNSAFE", { file: name }) as Error),
  );

  it.each(["model.safetensors", "model-00001-of-00002.safetensors", "..a", "a..b", "mödel 1.json", "__proto__"])(
    "%j is accepted",
    (name) => expect(() => checkFileName(name)).not.toThrow(),
  );
});

describe("httpSource", () => {
  it.each([
    ["whole", "RANGE_NOT_SUPPORTED"],
    ["no-content-range", "RANGE_NOT_SUPPORTED"],
    ["no-size", "RANGE_NOT_SUPPORTED"],
    ["missing", "INPUT_NOT_FOUND"],
    ["denied", "READ_FAILED"],
    ["token", "READ_FAILED"],
  ])("%s: opening is refused with %s", async (path, code) => {
    await expect(httpSource(url(path))).rejects.toEqual(refused(code, { file: url(path) }));
  });

  it.each([
    ["new-etag", 0, /changed since it was opened/],
    ["new-size", 0, /answered with the range bytes 10-19\/999/],
    ["other-range", 0, /answered with the range bytes 11-20/],
    ["whole-later", 0, /answered 200 instead of 206/],
    ["short", 9, /another length/],
    ["long", 12, /another length/],
    ["broken", 3, /terminated/],
  ])("%s: reading is refused", async (path, found, message) => {
    const source = await httpSource(url(path));
    const details = { file: url(path), offset: 10, found, expected: 10 };
    await expect(source.read(10, 10)).rejects.toEqual(refused("READ_FAILED", details));
    await expect(source.read(10, 10)).rejects.toThrow(message);
  });

  it("reports a file that went away, and a server that does not answer", async () => {
    await expect((await httpSource(url("gone-later"))).read(10, 10)).rejects.toEqual(refused("INPUT_NOT_FOUND"));
    const closed = httpSource("http://127.0.0.1:1/x", {
      fetch: () => Promise.reject(new TypeError("fetch failed", { cause: new Error("refused") })),
    });
    await expect(closed).rejects.toEqual(
      refused("READ_FAILED", { file: "http://127.0.0.1:1/x", offset: 0, expected: 1 }),
    );
    await expect(closed).rejects.toThrow("fetch failed (refused)");
  });

  it("wants an absolute URL without a password, and does not repeat what it was given", async () => {
    for (const bad of ["model.safetensors", "https://user:secret@example.com/", ""]) {
      const opening = httpSource(bad);
      await expect(opening).rejects.toEqual(refused("INVALID_ARGUMENT"));
      await expect(opening).rejects.not.toThrow(/secret/);
      expect(() => httpRepository(bad)).toThrow(refused("INVALID_ARGUMENT") as Error);
    }
  });

  it("opens an empty file", async () => {
    const source = await httpSource(url("empty"));
    expect(source.size).toBe(0);
    expect(await source.read(0, 0)).toEqual(new Uint8Array(0));
  });

  it("sends the headers, uses the fetch it is given, and keeps the query out of its name", async () => {
    const headers = { authorization: "Bearer t" };
    const ranges: (string | null)[] = [];
    const own = (target: URL, init: RequestInit): Promise<Response> => {
      ranges.push(new Headers(init.headers).get("range"));
      return fetch(target, init);
    };
    const source = await httpSource(`${url("token")}?signature=secret#x`, { headers, fetch: own });
    expect(source.name).toBe(url("token"));
    expect(await source.read(1, 2)).toEqual(content.slice(1, 3));
    expect(ranges).toEqual(["bytes=0-0", "bytes=1-2"]);
    expect(headers).toEqual({ authorization: "Bearer t" });
  });

  it("stops in the middle of an answer when the signal of the read fires", async () => {
    const source = await httpSource(url("hang"));
    await expect(source.read(0, 10, AbortSignal.timeout(20))).rejects.toEqual(refused("ABORTED"));
  });

  it("stops for good when the signal of the source fires", async () => {
    const controller = new AbortController();
    const source = await httpSource(url("hang"), { signal: controller.signal });
    setTimeout(() => controller.abort(), 20);
    await expect(source.read(0, 10, AbortSignal.timeout(10_000))).rejects.toEqual(refused("ABORTED"));
    await expect(source.read(0, 1)).rejects.toEqual(refused("ABORTED"));
    await expect(httpSource(url("good"), { signal: controller.signal })).rejects.toEqual(refused("ABORTED"));
  });
});

describe("fileSource", () => {
  it("reports what is not there and what is no file", async () => {
    for (const path of [join(folder, "none"), join(folder, "none", "x"), folder])
      await expect(fileSource(path)).rejects.toEqual(refused("INPUT_NOT_FOUND", { file: path }));
    if (process.platform !== "win32") await expect(fileSource("/dev/null")).rejects.toEqual(refused("INPUT_NOT_FOUND"));
  });

  it("reports a file that became shorter", async () => {
    const path = await fileOf("shrinks.bin");
    const source = await fileSource(path);
    await truncate(path, 300);
    expect(await source.read(0, 300)).toEqual(content.slice(0, 300));
    const details = { file: path, offset: 200, found: 100, expected: 200 };
    await expect(source.read(200, 200)).rejects.toEqual(refused("READ_FAILED", details));
    await source.close();
    await expect(source.read(0, 1)).rejects.toEqual(refused("READ_FAILED"));
  });
});

// ── Repositories ────────────────────────────────────────────────────────────────────────────────────────────
const textOf = async (repository: Repository, file: string): Promise<string> => {
  const source = await repository.open(file);
  const bytes = await source.read(0, source.size);
  await source.close();
  return new TextDecoder().decode(bytes);
};

describe("memoryRepository", () => {
  it("lists and opens its files", async () => {
    const repository = memoryRepository({ "b.json": new Blob(["b"]), "a.bin": content, "10": content }, "mine");
    expect(await repository.list()).toEqual(["10", "a.bin", "b.json"]);
    expect(await textOf(repository, "b.json")).toBe("b");
    expect((await repository.open("a.bin")).name).toBe("a.bin");
    await expect(repository.open("toString")).rejects.toEqual(refused("INPUT_NOT_FOUND", { file: "toString" }));
    await expect(repository.open("../a")).rejects.toEqual(refused("SHARD_NAME_UNSAFE"));
    expect(() => memoryRepository({ "x/y": content })).toThrow(refused("SHARD_NAME_UNSAFE") as Error);
  });
});

describe("httpRepository", () => {
  it.each([
    ["single", ["config.json", "model.safetensors"]],
    ["bare", ["model.safetensors"]],
    ["sharded", ["1.safetensors", "2.safetensors", "config.json", "model.safetensors.index.json"]],
  ])("lists the files of %s", async (path, files) => {
    expect(await httpRepository(url(path)).list()).toEqual(files);
    expect(await httpRepository(`${url(path)}/?token=t`).list()).toEqual(files);
  });

  it.each([
    ["nothing", "INPUT_NOT_FOUND"],
    ["missing", "INPUT_NOT_FOUND"],
    ["unsafe", "SHARD_NAME_UNSAFE"],
    ["bad-index", "INDEX_INVALID"],
    ["no-index-json", "INDEX_INVALID"],
    ["denied", "READ_FAILED"],
  ])("refuses to list %s: %s", async (path, code) => {
    await expect(httpRepository(url(path)).list()).rejects.toEqual(refused(code));
  });

  it("opens files: JSON whole, others by ranges", async () => {
    const repository = httpRepository(new URL(url("sharded")));
    expect(await textOf(repository, "config.json")).toBe("{}");
    expect(await textOf(repository, "1.safetensors")).toBe("x");
    await expect(repository.open("2.safetensors")).rejects.toEqual(refused("INPUT_NOT_FOUND"));
    await repository.list();
    await expect(repository.open("2.safetensors")).rejects.toEqual(refused("SHARD_MISSING", { file: "2.safetensors" }));
    await expect(repository.open("3.safetensors")).rejects.toEqual(refused("INPUT_NOT_FOUND"));
    await expect(repository.open("../single/config.json")).rejects.toEqual(refused("SHARD_NAME_UNSAFE"));
    await expect(repository.open("config.json", AbortSignal.abort())).rejects.toEqual(refused("ABORTED"));
  });

  it("lets a source outlive the signal of its opening", async () => {
    const controller = new AbortController();
    const source = await httpRepository(url("good")).open("m.safetensors", controller.signal);
    controller.abort();
    expect(await source.read(3, 2)).toEqual(content.slice(3, 5));
  });
});

describe("folderRepository", () => {
  const folderOf = async (...path: readonly string[]): Promise<string> => {
    const made = join(folder, ...path);
    await mkdir(made, { recursive: true });
    return made;
  };

  it("lists and opens the plain files of a folder", async () => {
    const root = await folderOf("plain");
    await folderOf("plain", "sub.safetensors");
    await writeFile(join(root, "b.safetensors"), "b");
    await writeFile(join(root, "a.json"), "a");
    const repository = await folderRepository(root);
    expect(await repository.list()).toEqual(["a.json", "b.safetensors"]);
    expect(await textOf(repository, "a.json")).toBe("a");
    await expect(repository.open("c")).rejects.toEqual(refused("INPUT_NOT_FOUND"));
    await expect(repository.open("sub.safetensors")).rejects.toEqual(refused("INPUT_NOT_FOUND"));
    for (const name of ["../plain/a.json", "..", join(root, "a.json"), "sub/a"])
      await expect(repository.open(name)).rejects.toEqual(refused("SHARD_NAME_UNSAFE"));
    await expect(repository.open("a.json", AbortSignal.abort())).rejects.toEqual(refused("ABORTED"));
  });

  it("follows links inside the folder and refuses those that leave it", async () => {
    const root = await folderOf("linked");
    await writeFile(join(root, "real"), "r");
    await fileOf("secret", "s");
    await symlink("real", join(root, "inside"));
    await symlink("../secret", join(root, "outside"));
    await symlink("nowhere", join(root, "dangling"));
    await symlink(root, join(folder, "linked-root"));
    const repository = await folderRepository(join(folder, "linked-root"));
    expect(await repository.list()).toEqual(["inside", "outside", "real"]);
    expect(await textOf(repository, "inside")).toBe("r");
    await expect(repository.open("outside")).rejects.toEqual(refused("SHARD_NAME_UNSAFE", { file: "outside" }));
    await expect(repository.open("dangling")).rejects.toEqual(refused("INPUT_NOT_FOUND"));
  });

  it("follows links into the blobs of a Hugging Face cache, and nowhere else", async () => {
    const blobs = await folderOf("models--org--name", "blobs");
    const snapshot = await folderOf("models--org--name", "snapshots", "abc");
    const other = await folderOf("models--org--name", "refs", "abc");
    await writeFile(join(blobs, "f00d"), "weights");
    await writeFile(join(folder, "models--org--name", "token"), "t");
    for (const root of [snapshot, other]) await symlink("../../blobs/f00d", join(root, "model.safetensors"));
    await symlink("../../token", join(snapshot, "stolen"));
    expect(await textOf(await folderRepository(snapshot), "model.safetensors")).toBe("weights");
    await expect((await folderRepository(snapshot)).open("stolen")).rejects.toEqual(refused("SHARD_NAME_UNSAFE"));
    const outside = (await folderRepository(other)).open("model.safetensors");
    await expect(outside).rejects.toEqual(refused("SHARD_NAME_UNSAFE"));
  });

  it("wants a folder", async () => {
    const path = await fileOf("file.bin");
    for (const root of [path, join(folder, "none")])
      await expect(folderRepository(root)).rejects.toEqual(refused("INPUT_NOT_FOUND", { file: root }));
  });
});

describe("fileRepository", () => {
  it("holds one file", async () => {
    const path = await fileOf("one.safetensors");
    const repository = await fileRepository(path);
    expect(repository.name).toBe(path);
    expect(await repository.list()).toEqual(["one.safetensors"]);
    expect((await textOf(repository, "one.safetensors")).length).toBe(1000);
    await expect(repository.open("config.json")).rejects.toEqual(refused("INPUT_NOT_FOUND"));
    await expect(fileRepository(join(folder, "none"))).rejects.toEqual(refused("INPUT_NOT_FOUND"));
  });
});
