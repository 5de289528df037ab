/** The real CUDA libraries, as far as they are built here: what their files say, and that they load where there is no driver. */
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { parseBuildInfo } from "@halfbyte/native";
import { describe, expect, it } from "vitest";
import { codeIn, oldestSystem, problemsOf } from "../scripts/check-library.mjs";
import { entriesOf, sha256 } from "../scripts/manifest.mjs";

const build = resolve(import.meta.dirname, "../build");
const entries = entriesOf(build);

/** In a process of its own, like the probe: loads the library, asks who it is, and tries to open a device. */
const child = `
  const library = require("koffi").load(process.argv[1]);
  const abi = library.func("hb_abi_version", "uint32_t", [])();
  const info = library.func("hb_build_info", "const char *", []);
  const created = library.func("hb_queue_create", "int32_t", ["int32_t", "int32_t", "_Out_ void **"])(0, 1, [null]);
  const error = library.func("hb_last_error", "int32_t", [])();
  console.log(JSON.stringify({ abi, info: info(), created, error }));`;

interface Answer {
  readonly abi: number;
  readonly info: string;
  readonly created: number;
  readonly error: number;
}

function ask(library: string): Answer {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["-e", child, library], {
    cwd: import.meta.dirname,
    encoding: "utf8",
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return JSON.parse(stdout) as Answer;
}

describe.each(["11.8", "12.4", "13.0"])("the library of CUDA %s", (version) => {
  const entry = entries.find((entry) => entry.version === version);
  const notBuilt = entry ? "" : `it is not built: run \`pnpm build:cuda ${version.replace(".", "")}\``;
  const path = entry ? join(build, entry.file) : "";

  it("is what its manifest says, and nothing more", ({ skip }) => {
    if (notBuilt) skip(notBuilt);
    expect(entry!.sha256).toBe(sha256(path));
    expect(problemsOf(path, entry!, entry!.sysroot ? oldestSystem : {})).toEqual([]);
    expect(entry).toMatchObject({ linkage: "static", platform: "linux", arch: "x64", libc: "glibc" });
  });

  it("loads without a driver, says who it is, and why no device can be opened", ({ skip }) => {
    if (notBuilt) skip(notBuilt);
    const { abi, info, created, error } = ask(path);
    const said = JSON.parse(info) as object;
    expect(abi).toBe(entry!.abi);
    expect(said).toMatchObject({ cuda: version, sass: entry!.sass, ptx: entry!.ptx, linkage: "static" });
    expect(parseBuildInfo(info)?.operations).toContain("quantize_4bit");
    // With a GPU the queue opens; without a driver CUDA has a number for that.
    if (created !== 0) expect(error).toBeGreaterThan(0);
  });
});

it("the checks see a system that is too old and code that is not there", ({ skip }) => {
  const entry = entries[0];
  if (!entry) return skip("no CUDA library is built: run `pnpm build:cuda`");
  const wrong = { sass: [...entry.sass, "9.9"], ptx: entry.ptx };
  const problems = problemsOf(join(build, entry.file), wrong, { GLIBC: "2.3", GLIBCXX: "3.4" });
  expect(problems.join()).toMatch(/GLIBC_2\.\d+, newer than 2\.3/);
  // Who has no cuobjdump cannot look into the code.
  if (codeIn(join(build, entry.file))) expect(problems.join()).toMatch(/its sass is for/);
});
