/** The packages as built, on Deno's own WebGPU, whose compiler of WGSL is not Dawn's. */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { capture, npmScript } from "../../../scripts/run.mjs";

const program = fileURLToPath(new URL("deno-program.mjs", import.meta.url));
const minutes = 60_000;

test("the backend opens in Deno and decodes, or says why not", { timeout: 9 * minutes }, async ({ skip }) => {
  const deno = [npmScript("npx"), "-y", "deno@2.9.6"];
  const { code, stderr } = await capture([...deno, "--version"], { timeoutMs: 4 * minutes });
  if (code !== 0) skip(`Deno cannot be had from npm: ${stderr.trim()}`);
  const found = await capture([...deno, "run", "-A", program], { timeoutMs: 4 * minutes });
  expect(found).toMatchObject({ code: 0 });
  const answer = JSON.parse(found.stdout.trim().split("\n").at(-1)!);
  expect(answer.deno).toMatch(/^2\./);
  if (!answer.available) {
    expect(answer).toMatchObject({ reason: { code: "NOT_AVAILABLE" }, chosen: { name: "reference" } });
    skip(`Deno finds no WebGPU adapter: ${answer.reason.message}`);
  }
  expect(answer.chosen).toEqual({ name: "webgpu", skipped: [], out: answer.expected.out });
});
