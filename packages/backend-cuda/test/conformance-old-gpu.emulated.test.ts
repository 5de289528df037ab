/** The same specification on an emulated GPU without tensor cores, whose products run on other kernels. */
import { describeBackend } from "@halfbyte/conformance";
import { afterAll, describe, it } from "vitest";
import { emulatedCuda, noEmulation } from "./emulated.js";
import { withoutTensorCores } from "./products.js";

const capability = "HALFBYTE_EMULATED_CAPABILITY";

if (noEmulation) describe("emulated CUDA", () => it("conforms", ({ skip }) => skip(noEmulation)));
else {
  process.env[capability] = withoutTensorCores;
  afterAll(() => delete process.env[capability]);
  describeBackend(emulatedCuda());
}
