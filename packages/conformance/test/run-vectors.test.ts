import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Backend, openBackend, reference } from "@halfbyte/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findVectors } from "../src/golden/find.js";
import { folderFiles } from "../src/golden/folder.js";
import { goldenFolderAbove } from "../src/golden/repository.js";
import { runVectors } from "../src/vectors.js";

const golden = goldenFolderAbove(dirname(fileURLToPath(import.meta.url)));

let backend: Backend;
beforeAll(async () => {
  backend = await openBackend([reference()], { order: ["reference"] });
});
afterAll(() => backend.dispose());

describe("runVectors", () => {
  test.each(["cpu", "reference"] as const)(
    "passes every case of the golden folder under profile %s",
    async (profile) => {
      const { files, checkpoints } = await findVectors(folderFiles(golden));
      const cases = files.reduce((sum, { sideCar }) => sum + sideCar.cases.length, 0);
      const summary = await runVectors(backend, { folder: golden, profile });
      const failures = Object.values(summary.operations).flatMap(({ firstFailure }) => firstFailure ?? []);
      expect(failures).toEqual([]);
      expect(summary).toMatchObject({
        backend: "reference",
        tier: "reference",
        profile,
        cases,
        passed: cases,
        failed: 0,
        skipped: 0,
      });
      expect(summary.checkpoints).toEqual({
        cases: checkpoints.length,
        passed: checkpoints.length,
        failed: 0,
        skipped: 0,
      });
      expect(summary.operations["checkpoint"]).toEqual(summary.checkpoints);
    },
  );

  test("takes the profile of Python's CPU files on the reference backend", async () => {
    const { profile } = await runVectors(backend, { folder: join(golden, "int8") });
    expect(profile).toBe("cpu");
  });

  test("takes a folder above or within the golden one and reports progress", async () => {
    const seen: string[] = [];
    const onCase = ({ case: name }: { case: string }, { done, total }: { done: number; total: number }) =>
      seen.push(`${name} ${done}/${total}`);
    const within = await runVectors(backend, { folder: join(golden, "int8"), onCase });
    expect(seen).toHaveLength(within.cases);
    expect(seen[0]).toBe(`linear8bitlt:c000 1/${within.cases}`);
    expect(seen.at(-1)).toBe(`vectorwise:c018 ${within.cases}/${within.cases}`);
  });

  test("leaves no tensor behind", async () => {
    const before = backend.memory();
    await runVectors(backend, { folder: join(golden, "optim") });
    await runVectors(backend, { folder: join(golden, "checkpoints") });
    expect(backend.memory()).toEqual(before);
  });

  test("stops when aborted", async () => {
    const aborted = runVectors(backend, { folder: golden, signal: AbortSignal.abort() });
    await expect(aborted).rejects.toMatchObject({ code: "ABORTED" });
  });

  test("refuses a profile that the backend does not have", async () => {
    const elsewhere = new Proxy(backend, {
      get: (target, key) => (key === "name" ? "other" : Reflect.get(target, key, target)),
    });
    const refused = runVectors(elsewhere, { folder: golden, profile: "cpu" });
    await expect(refused).rejects.toMatchObject({ code: "UNSUPPORTED_KERNEL" });
  });

  test("refuses a folder without vectors, and broken side-cars", async () => {
    const folder = mkdtempSync(join(tmpdir(), "halfbyte-vectors-"));
    const expectCode = (code: string) => expect(runVectors(backend, { folder })).rejects.toMatchObject({ code });
    await expectCode("VECTORS_NOT_FOUND");
    writeFileSync(join(folder, "package.json"), "{}");
    await expectCode("VECTORS_NOT_FOUND");
    for (const text of [
      '{"golden_format": 1, "cases": [',
      '{"golden_format": 2, "cases": []}',
      '{"golden_format": 1, "cases": [1], "tensors": "a"}',
    ]) {
      writeFileSync(join(folder, "a.json"), text);
      await expectCode("VECTORS_INVALID");
    }
    rmSync(folder, { recursive: true });
    await expectCode("VECTORS_NOT_FOUND");
  });
});
