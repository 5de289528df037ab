/** Building a library for the user's store, with a script in place of the compiler. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { abiVersion } from "../../native/src/abi.js";
import { temporaryFolder } from "../../native/test/stub.js";
import { LibraryStore } from "../src/library-store.js";
import { buildIntoStore, requestedVersion } from "../src/source-build.js";
import { nameOf } from "./libraries.js";

let store: LibraryStore;
beforeEach(() => {
  store = new LibraryStore(join(temporaryFolder(), "libraries"));
});

const { version } = nameOf("cuda124");

/** A folder with sources whose script does as told. */
function sourcesWith(script: string): string {
  const sources = temporaryFolder();
  for (const folder of ["scripts", "native"]) mkdirSync(join(sources, folder));
  writeFileSync(join(sources, "scripts", "build-cuda.mjs"), script);
  return sources;
}

const working = `
  import { createHash } from "node:crypto";
  import { writeFileSync } from "node:fs";
  const args = process.argv.slice(2);
  const valueOf = (name) => args[args.indexOf(name) + 1];
  const [file, body] = ["libhalfbyte_cuda" + valueOf("--require") + ".so", JSON.stringify(args.filter((arg) => arg !== valueOf("--output")))];
  const sha256 = createHash("sha256").update(body).digest("hex");
  writeFileSync(valueOf("--output") + "/" + file, body);
  writeFileSync(valueOf("--output") + "/manifest.json", JSON.stringify({ libraries: [{ file, sha256, abi: ${abiVersion} }] }));
`;

describe("a version", () => {
  it.each(["12.4", "124", "cuda124"])("may be written %s", (text) => {
    expect(requestedVersion(text)).toEqual({ major: 12, minor: 4 });
  });

  it.each(["", "12", "twelve", "12.4.1", "cuda", "../124", "rocm72", "-1"])('is not "%s"', (text) => {
    expect(() => requestedVersion(text)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});

describe("a build", () => {
  it.skipIf(process.platform !== "linux")("ends in the store, and is told what was asked for", async () => {
    const options = { sources: sourcesWith(working), toolkit: "/opt/cuda", fetch: true, acceptNvidiaEula: true };
    const { id, path, inUse } = await buildIntoStore(store, version, options);
    expect(id).toMatch(/^cuda124-/);
    expect(inUse).toBe(false);
    const asked = ["--require", "124", "--output", "--toolkit", "/opt/cuda", "--fetch", "--accept-nvidia-eula"];
    expect(JSON.parse(readFileSync(path, "utf8"))).toEqual(asked);
  });

  it("that fails leaves the store as it was", async () => {
    const sources = sourcesWith("process.exitCode = 1;");
    await expect(buildIntoStore(store, version, { sources })).rejects.toMatchObject({ code: "LIBRARY_BUILD_FAILED" });
    expect(await store.builds()).toEqual([]);
  });

  it("that makes nothing has failed, whatever it says", async () => {
    await expect(buildIntoStore(store, version, { sources: sourcesWith("") })).rejects.toMatchObject({
      code: "LIBRARY_LOAD_FAILED",
    });
  });

  it("ends when it is interrupted", async () => {
    const sources = sourcesWith("setInterval(() => {}, 1000);");
    const building = buildIntoStore(store, version, { sources, signal: AbortSignal.timeout(300) });
    await expect(building).rejects.toMatchObject({ code: "ABORTED" });
  });

  it("without sources says where they are", async () => {
    await expect(buildIntoStore(store, version, { sources: temporaryFolder() })).rejects.toMatchObject({
      code: "LIBRARY_SOURCES_MISSING",
      remedy: expect.stringContaining("pnpm halfbyte libs build 12.4"),
    });
  });
});
