import { test } from "vitest";
import { selfTest } from "../../src/self-test.js";
import { fakeDevice } from "./fake-device.js";

test("time", async () => {
  const d = { provider: "fake", available: true, versions: {}, sources: [], candidates: [], devices: [] };
  for (let i = 0; i < 6; i++) console.log(await selfTest(fakeDevice(), d));
});
