/** halfbyte libs: listing, choosing between builds, going back, verifying. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { LibraryStore } from "../../backend-cuda/src/library-store.js";
import { install } from "../../backend-cuda/test/stub-libraries.js";
import { halfbyte, temporaryFolder } from "./command-line.js";

let folder: string;
let store: LibraryStore;
beforeEach(() => {
  const data = temporaryFolder();
  folder = install({ id: "cuda118", body: Buffer.from("eleven") }, { id: "cuda124", body: Buffer.from("twelve") });
  store = new LibraryStore(join(data, "halfbyte", "libraries"));
});

const libs = (...args: string[]) =>
  halfbyte(["libs", ...args], {
    env: { XDG_DATA_HOME: join(store.folder, "..", ".."), HALFBYTE_LIBRARY_PATH: folder, HALFBYTE_CPU_ISA: "" },
  });

const added = async (id: string, text: string) => {
  const made = install({ id, body: Buffer.from(text) });
  return (await store.add(join(made, `libhalfbyte_${id}.so`))).id;
};

interface Listed {
  readonly libraries: readonly {
    library: string;
    path: string;
    sass: string[];
    sha256: string;
    verdict: string;
    build: string | null;
  }[];
  readonly store: { builds: readonly { id: string; inUse: boolean }[] };
}

describe("libs", () => {
  it("lists every library with what its manifest says", async () => {
    const { code, stdout } = await libs("--json");
    expect(code).toBe(0);
    const mine = (JSON.parse(stdout) as Listed).libraries.filter(({ path }) => path.startsWith(folder));
    expect(mine.map(({ library, sass, build }) => [library, sass, build]).sort()).toEqual([
      ["cuda118", ["8.0", "8.6", "9.0"], null],
      ["cuda124", ["8.0", "8.6", "9.0"], null],
    ]);
    expect(mine[0]!.sha256).toMatch(/^[0-9a-f]{64}$/);
    const text = await libs();
    expect(text.stdout).toContain("cuda124");
    expect(text.stdout).toContain("no builds");
  });

  it("puts a build in use and takes it back", async () => {
    const [first, second] = [await added("cuda124", "1"), await added("cuda124", "2")];
    const used = await libs("use", first, "--json");
    expect(JSON.parse(used.stdout)).toEqual({ before: [], inUse: [first] });
    expect((await libs("use", second)).stdout).toContain(`in use: ${second}; before: ${first}`);
    const listed = JSON.parse((await libs("list", "--json")).stdout) as Listed;
    expect(listed.libraries.map(({ build }) => build)).toContain(second);
    expect((await libs("rollback")).stdout).toContain(`in use: ${first}; before: ${second}`);
  });

  it("says what there is when a name fits nothing", async () => {
    const id = await added("cuda124", "1");
    const { code, stdout } = await libs("use", "cuda130", "--json");
    expect(code).toBe(1);
    expect(JSON.parse(stdout).error).toMatchObject({
      code: "STORE_BUILD_UNKNOWN",
      message: expect.stringContaining(id),
    });
  });

  it("has nothing to go back to at first", async () => {
    const { code, stderr } = await libs("rollback");
    expect([code, stderr]).toEqual([1, expect.stringContaining("STORE_NOTHING_EARLIER")]);
  });

  it("verifies the hashes of all, and ends with 1 when one is wrong", async () => {
    const good = await libs("verify", "--json");
    expect([good.code, JSON.parse(good.stdout).failed]).toEqual([0, 0]);
    writeFileSync(join(folder, "libhalfbyte_cuda124.so"), "changed");
    const bad = await libs("verify", "--json");
    expect(bad.code).toBe(1);
    const wrong = (JSON.parse(bad.stdout).libraries as { library: string; reason: { code: string } | null }[]).filter(
      ({ reason }) => reason,
    );
    expect(wrong).toMatchObject([{ library: "cuda124", reason: { code: "LIBRARY_CHANGED" } }]);
    expect((await libs("verify")).stdout).toMatch(/cuda124 +WRONG/);
  });

  it("verifies builds that are not in use, too", async () => {
    const id = await added("cuda130", "1");
    writeFileSync(join(store.folder, "builds", id, "libhalfbyte_cuda130.so"), "changed");
    const { code, stdout } = await libs("verify");
    expect([code, stdout]).toEqual([1, expect.stringMatching(/cuda130 +WRONG/)]);
  });

  it("refuses a version that is none", async () => {
    const { code, stderr } = await libs("build", "twelve");
    expect([code, stderr]).toEqual([2, expect.stringContaining("INVALID_ARGUMENT")]);
  });

  it.each([[["frobnicate"]], [["use"]], [["build"]], [["rollback", "x"]], [["--nonsense"]]])(
    "ends with 2 for nonsense: %j",
    async (args) => {
      const { code, stdout } = await libs(...args);
      expect([code, stdout]).toEqual([2, ""]);
    },
  );
});
