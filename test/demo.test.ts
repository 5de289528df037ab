/** `npm run demo`, exactly as the README says it. */
import { expect, it } from "vitest";
import { capture, npmScript } from "../scripts/run.mjs";
import { installedPackages } from "./installed-packages.js";

const minutes = 60_000;

it("quantizes the models of the demo and finds Python's file identical", { timeout: 10 * minutes }, async () => {
  await installedPackages(); // so that the demo and the tests of the packages do not build at the same time
  const { code, stdout, stderr } = await capture([npmScript("npm"), "run", "demo"], { timeoutMs: 9 * minutes });
  expect(code, stdout + stderr).toBe(0);
  expect(stdout).toContain("identical");
  expect(stdout, "it says that its weights are synthetic").toContain("synthetic");
});
