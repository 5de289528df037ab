/**
 * `node conformance.mjs [--library FILE] [--json FILE]`: the conformance suite of a backend, on one CUDA library, or on what the provider
 * chooses by itself. Bundled by scripts/carry.mjs for machines without anything installed. Exit code 1: a case failed; 2: it could not run.
 */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { cuda } from "@halfbyte/backend-cuda";
import { describeBackend, describeQuantization } from "@halfbyte/conformance";
import { type BackendProvider, messageOf } from "@halfbyte/core";
import { loadLibrary, NativeDevice } from "@halfbyte/native";
import { judge } from "../../../../test/carried/judge.js";
import { nativeOperations } from "../../../native/src/operations.js";

const { values } = parseArgs({ options: { library: { type: "string" }, json: { type: "string" } } });

process.exitCode = await main(values.library, values.json).catch((error: unknown) => {
  console.error(messageOf(error));
  return 2;
});

async function main(library: string | undefined, json: string | undefined): Promise<number> {
  const { provider, isWhole } = library === undefined ? { provider: cuda(), isWhole: true } : await opened(library);
  (isWhole ? describeBackend : describeQuantization)(provider);
  const name = library === undefined ? "the provider's own choice" : basename(library);
  const judgement = await judge(name);
  const report = { library: name, node: process.version, isWhole, ...judgement };
  if (json !== undefined) writeFileSync(json, JSON.stringify(report));
  return judgement.failed > 0 ? 1 : 0;
}

/** This library and no other. */
async function opened(path: string): Promise<{ provider: BackendProvider; isWhole: boolean }> {
  const sha256 = createHash("sha256").update(readFileSync(path)).digest("hex");
  const { functions, build } = await loadLibrary([{ path, sha256 }], { backend: "cuda", machine: undefined });
  const { operations = [] } = build;
  const options = { name: "cuda", tier: basename(path), maxTensorBytes: 2 ** 31, variantOf: () => basename(path) };
  const provider: BackendProvider = {
    name: "cuda",
    detect: async () => ({
      ...{ provider: "cuda", available: true, versions: {}, sources: [], candidates: [] },
      devices: [{ id: "cuda:0", name: basename(path), software: false }],
    }),
    open: async () => new NativeDevice(functions, { ...options, operations }),
  };
  return { provider, isWhole: Object.values(nativeOperations).every(({ name }) => operations.includes(name)) };
}
