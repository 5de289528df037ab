/**
 * Checks every published package as the registry would get it: packs it, then asks publint and attw about the tarball and
 * looks at its files. One line per package; exit code 1 when one has a problem.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { capture, root } from "./run.mjs";
import { readTarball } from "./tarball.mjs";
import { ensureBuilt, packAll } from "./workspace.mjs";

/** What attw is asked per package; null where there is nothing to import. */
const attwArguments = {
  // node16 leaves out the resolution of TypeScript's "node10", which knows no `exports` and hence no "/node" entry.
  "@halfbyte/core": ["--profile", "node16"],
  // As above, with the "/register" entry.
  "@halfbyte/backend-cpu": [
    "--profile",
    "node16",
    // Files that bundlers and servers ask for by name; nobody imports them as JavaScript.
    "--exclude-entrypoints",
    "./halfbyte_cpu.wasm",
    "./halfbyte_cpu.relaxed.wasm",
  ],
  // As above.
  "@halfbyte/backend-cuda": ["--profile", "node16"],
  "@halfbyte/backend-webgpu": ["--profile", "node16"],
  // The main entry registers vitest tests, and vitest exists as ESM only: require() of it cannot work.
  "@halfbyte/conformance": ["--profile", "esm-only"],
  // A command: it exports its package.json and nothing else.
  halfbyte: null,
  // A library and its manifest.
  "@halfbyte/backend-cpu-linux-x64": null,
  "@halfbyte/backend-cpu-linux-arm64": null,
  // Libraries, their manifest, and the notice for NVIDIA's runtime in them.
  "@halfbyte/backend-cuda-linux-x64": null,
};

const forbidden = [
  [/(^|\/)golden(\/|$)|\.safetensors$/, "a golden file"],
  [/\.test\.|(^|\/)tests?\//, "a test"],
  [/\.map$/, "a source map"],
  [/(^|\/)\.(env|npmrc)|\.(pem|key)$/, "a file that may hold a secret"],
];

const scratch = mkdtempSync(join(tmpdir(), "halfbyte-packages-"));
try {
  await ensureBuilt();
  for (const { name, tarball } of await packAll(scratch)) await report(name, tarball);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

async function report(name, tarball) {
  const files = readTarball(tarball);
  const problems = [
    ...fileProblems(files),
    ...(await publintProblems(tarball)),
    ...(await attwProblems(name, tarball)),
  ];
  const kilobytes = (readFileSync(tarball).length / 1000).toFixed(1);
  console.log(
    problems.length === 0 ? `${name}: ${files.size} files, ${kilobytes} kB, good` : `${name}: ${problems.join("\n  ")}`,
  );
  if (problems.length > 0) process.exitCode = 1;
}

function fileProblems(files) {
  const names = [...files.keys()];
  const manifest = files.get("package.json").toString();
  return [
    ...forbidden.flatMap(([pattern, what]) =>
      names.filter((name) => pattern.test(name)).map((name) => `${name} is ${what}`),
    ),
    ...["workspace:", "@halfbyte/source"]
      .filter((word) => manifest.includes(word))
      .map((word) => `package.json still has "${word}"`),
    ...mustHave(names)
      .filter((name) => !files.has(name))
      .map((name) => `${name} is missing`),
  ];
}

/** NVIDIA's licence asks for a notice wherever its runtime is inside. */
function mustHave(names) {
  const hasRuntime = names.some((name) => /^libhalfbyte_cuda/.test(name));
  return hasRuntime ? ["LICENSE", "THIRD_PARTY_NOTICES.md"] : ["LICENSE"];
}

async function publintProblems(tarball) {
  const bytes = readFileSync(tarball);
  const tarballBytes = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  const { messages, pkg } = await publint({ pack: { tarball: tarballBytes }, strict: true });
  // Strict means that a warning is as bad as an error; suggestions stay suggestions.
  return messages
    .filter(({ type }) => type !== "suggestion")
    .map((message) => `publint: ${formatMessage(message, pkg)}`);
}

async function attwProblems(name, tarball) {
  const args = attwArguments[name];
  if (args === null) return [];
  if (args === undefined) return ["scripts/check-packages.mjs does not say how attw shall look at it"];
  const attw = join(root, "node_modules", "@arethetypeswrong", "cli", "dist", "index.js");
  const { code, stdout, stderr } = await capture([
    attw,
    tarball,
    "--no-color",
    "--no-emoji",
    "--format",
    "ascii",
    ...args,
  ]);
  return code === 0 ? [] : [`attw:\n${stdout}${stderr}`];
}
