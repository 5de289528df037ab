/** The published packages, installed from their tarballs, do what a user's first minutes ask of them. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { cudaLibrary, install, noStubs } from "../packages/backend-cuda/test/stub-libraries.js";
import { type Captured, root } from "../scripts/run.mjs";
import { readTarball } from "../scripts/tarball.mjs";
import { type InstalledPackages, installedPackages, installTimeout, node, npx } from "./installed-packages.js";

let installed: InstalledPackages;
beforeAll(async () => {
  installed = await installedPackages();
}, installTimeout);

describe("import and require", () => {
  const entries = [
    "@halfbyte/core",
    "@halfbyte/core/node",
    "@halfbyte/backend-cpu",
    "@halfbyte/backend-cuda",
    "@halfbyte/backend-webgpu",
  ];

  it.each(entries)("%s exports the same names to ESM and CJS", async (entry) => {
    const esm = await printed("names.mjs", `console.log(JSON.stringify(Object.keys(await import("${entry}")).sort()))`);
    const cjs = await printed("names.cjs", `console.log(JSON.stringify(Object.keys(require("${entry}")).sort()))`);
    expect(JSON.parse(esm).length).toBeGreaterThan(0);
    expect(withoutInterop(JSON.parse(cjs))).toEqual(withoutInterop(JSON.parse(esm)));
  });

  it("@halfbyte/conformance/vectors loads both ways", async () => {
    await printed("vectors.mjs", `await import("@halfbyte/conformance/vectors")`);
    await printed("vectors.cjs", `require("@halfbyte/conformance/vectors")`);
  });

  it.for(["mjs", "cjs"])("the native CPU backend tries its library and opens, from %s", async (kind, { skip }) => {
    const build = join(root, "packages", "backend-cpu", "build");
    if (!existsSync(join(build, "manifest.json"))) skip("libhalfbyte_cpu is not built: run `pnpm build:native`");
    const cache = join(installed.folder, `cache-${kind}`);
    const tier = await printed(`open.${kind}`, openCpu(kind, { XDG_CACHE_HOME: cache, HALFBYTE_LIBRARY_PATH: build }));
    expect(["scalar", "avx2", "avx512", "neon"]).toContain(tier.trim());
    expect(JSON.parse(readFileSync(join(cache, "halfbyte", "probe.json"), "utf8"))).toHaveLength(1);
  });

  it.for(["mjs", "cjs"])("the CPU backend runs in WebAssembly, from %s", async (kind) => {
    const tier = await printed(`wasm.${kind}`, openCpu(kind, { HALFBYTE_CPU_ISA: "wasm" }));
    expect(tier.trim()).toBe("wasm");
  });

  it.for(["mjs", "cjs"])(
    "the CUDA backend looks at the machine and tries a library, from %s",
    async (kind, { skip }) => {
      if (noStubs) skip(noStubs);
      const folder = install({ id: "cuda124", body: await cudaLibrary("cuda124") });
      const path = join(folder, "libhalfbyte_cuda124.so");
      const said = await printed(
        `cuda.${kind}`,
        `${importFrom(kind, "backend-cuda")}
      const { nodeWorld, examine, probeLibrary } = backend_cuda;
      examine(nodeWorld(), { depth: "full" }).then(async ({ facts, sources }) =>
        console.log(sources.length, await probeLibrary({ path: ${JSON.stringify(path)} }, facts)));`,
      );
      expect(said).toMatch(/^\d+ undefined$/m);
    },
  );

  const openCpu = (kind: string, environment: object) => `
    ${["core", "backend-cpu"].map((name) => importFrom(kind, name)).join("\n")}
    Object.assign(process.env, ${JSON.stringify(environment)});
    core.openBackend([backend_cpu.cpu()], { order: ["cpu"] }).then(async (backend) => {
      console.log(backend.tier);
      await backend.dispose();
    });`;

  const importFrom = (kind: string, name: string) =>
    kind === "mjs"
      ? `import * as ${name.replace("-", "_")} from "@halfbyte/${name}";`
      : `const ${name.replace("-", "_")} = require("@halfbyte/${name}");`;

  async function printed(file: string, text: string): Promise<string> {
    writeFileSync(join(installed.folder, file), text);
    const { code, stdout, stderr } = await node(installed.folder, file);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    return stdout;
  }

  /** Node adds these to the ESM view of a CJS module, not the package. */
  function withoutInterop(names: string[]): string[] {
    return names.filter((name) => !["default", "__esModule", "module.exports"].includes(name));
  }
});

describe("the command", () => {
  it("explains itself with examples", async () => {
    const { code, stdout } = await halfbyte("--help");
    expect(code).toBe(0);
    expect(stdout).toMatch(/examples?:/i);
    expect(stdout).toContain("halfbyte quantize");
  });

  it("prints its version", async () => {
    const { code, stdout } = await halfbyte("--version");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+/);
  });

  // Exit codes: 1 failed, 2 usage (docs/errors.md). The message names what is wrong.
  it.each([
    { what: "an unknown command", args: ["frobnicate"], code: 2, names: "frobnicate" },
    { what: "an unknown option", args: ["inspect", "--frobnicate"], code: 2, names: "--frobnicate" },
    { what: "missing arguments", args: ["quantize"], code: 2, names: "required" },
    {
      what: "an unknown format",
      args: ["quantize", "notes.txt", "-o", "out", "--format", "nf5"],
      code: 2,
      names: "nf5",
    },
    { what: "a file that is no model", args: ["inspect", "notes.txt"], code: 1, names: "notes.txt" },
    {
      what: "a text file called model.safetensors",
      args: ["inspect", "fake/model.safetensors"],
      code: 1,
      names: "model.safetensors",
    },
    { what: "a path that does not exist", args: ["inspect", "no-such-model"], code: 1, names: "no-such-model" },
    {
      what: "a missing model to quantize",
      args: ["quantize", "no-such-model", "-o", "out", "--format", "nf4"],
      code: 1,
      names: "no-such-model",
    },
  ])("$what: exit code $code and a message that names it", async ({ args, code, names }) => {
    const result = await halfbyte(...args);
    expect(result.code, result.stdout + result.stderr).toBe(code);
    expect(result.stderr).toContain(names);
    expect(result.stderr, "a stack trace is not a message").not.toMatch(/^\s+at .*:\d+:\d+/m);
  });

  it("says the same in JSON on request", async () => {
    const { code, stdout } = await halfbyte("inspect", "no-such-model", "--json");
    expect(code).toBe(1);
    const { error } = JSON.parse(stdout);
    expect(error).toMatchObject({
      code: "INPUT_NOT_FOUND",
      message: expect.any(String),
      remedy: expect.any(String),
      details: expect.any(Object),
    });
  });

  async function halfbyte(...args: string[]): Promise<Captured> {
    mkdirSync(join(installed.folder, "fake"), { recursive: true });
    for (const name of ["notes.txt", "fake/model.safetensors"]) {
      writeFileSync(join(installed.folder, name), "Dear diary, this is not a model.\n");
    }
    return npx(installed.folder, "halfbyte", ...args);
  }
});

describe("the native library", () => {
  const platform = `@halfbyte/backend-cpu-${process.platform}-${process.arch}`;

  it("comes with a package of its own, is loaded from there and passes its self-test", async ({ skip }) => {
    if (!installed.packed.some(({ name }) => name === platform)) return skip(`${platform} is not built here`);
    const script = `
      import { openBackend } from "@halfbyte/core";
      import { cpu } from "@halfbyte/backend-cpu";
      const backend = await openBackend([cpu({ tier: "native" })]);
      const { candidates } = await cpu().detect();
      const found = candidates.find(({ verdict }) => verdict !== "refused");
      console.log(JSON.stringify({ name: backend.name, library: found.library, tests: backend.report.selfTest }));
      await backend.dispose();`;
    writeFileSync(join(installed.folder, "native.mjs"), script);
    const { code, stdout, stderr } = await node(installed.folder, "native.mjs");
    expect(code, stderr).toBe(0);
    const { name, library } = JSON.parse(stdout);
    expect(name).toBe("cpu");
    expect(library).toBe(join(installed.folder, "node_modules", platform, "libhalfbyte_cpu.so"));
  });
});

describe("the tarballs", () => {
  it("carry no golden file and no test", () => {
    for (const { name, tarball } of installed.packed) {
      const files = [...readTarball(tarball).keys()];
      expect(files, name).toContain("package.json");
      expect(
        files.filter((file) => /golden|\.safetensors$|\.test\./.test(file)),
        name,
      ).toEqual([]);
    }
  });

  it("name no workspace version", () => {
    for (const { name, tarball } of installed.packed) {
      expect(readTarball(tarball).get("package.json")?.toString(), name).not.toContain("workspace:");
    }
  });
});
