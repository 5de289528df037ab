/** Golden vectors of Python bitsandbytes: one test per file, and one per checkpoint. */
import { describe, expect, test } from "vitest";
import { findVectors } from "../golden/find.js";
import type { VectorFiles } from "../golden/vector-files.js";
import { Session } from "../session.js";
import type { CaseResult } from "../summary.js";
import type { Suite } from "./suite.js";

export function goldenCases(suite: Suite): void {
  describe("golden vectors", async () => {
    const source = await suite.vectors();
    const { files, checkpoints } = await findVectors(source);
    for (const file of files) {
      test(file.name, () => withSession(suite, source, (session) => failuresIn(session.casesOf(file))));
    }
    for (const checkpoint of checkpoints) {
      test(checkpoint.name, () =>
        withSession(suite, source, async (session) => failuresOf([await session.checkpoint(checkpoint)])),
      );
    }
  });
}

const productOperations: readonly string[] = ["dequantize_4bit", "matmul_4bit", "gemv_4bit_cpu_packed"];

/** The vectors of decoding and 4-bit products alone. */
export function productVectorCases(suite: Suite): void {
  describe("golden vectors of products", async () => {
    const source = await suite.vectors();
    const { files } = await findVectors(source);
    for (const file of files) {
      const cases = file.sideCar.cases.filter(({ op }) => productOperations.includes(op));
      const part = { ...file, sideCar: { ...file.sideCar, cases } };
      if (cases.length === 0) continue;
      test(file.name, () => withSession(suite, source, (session) => failuresIn(session.casesOf(part))));
    }
  });
}

/** The profile is that of `halfbyte selftest`: what Python on a CPU wrote where the backend has those rules. */
async function withSession(
  { backend }: Suite,
  source: VectorFiles,
  judge: (session: Session) => Promise<CaseResult["failure"][]>,
): Promise<void> {
  const session = new Session(backend, backend.name === "reference" ? "cpu" : "reference", source);
  try {
    expect(await judge(session)).toEqual([]);
  } finally {
    await session[Symbol.asyncDispose]();
  }
}

async function failuresIn(results: AsyncIterable<CaseResult>): Promise<CaseResult["failure"][]> {
  const all: CaseResult[] = [];
  for await (const result of results) all.push(result);
  expect(all.length).toBeGreaterThan(0);
  return failuresOf(all);
}

const failuresOf = (results: readonly CaseResult[]): CaseResult["failure"][] =>
  results.flatMap(({ failure }) => failure ?? []);
