/** The CUDA kernels on the emulated device: the whole specification and the golden vectors, on a GPU with all tensor cores. */
import { describeBackend } from "@halfbyte/conformance";
import { describe, it } from "vitest";
import { emulatedCuda, noEmulation } from "./emulated.js";

if (noEmulation) describe("emulated CUDA", () => it("conforms", ({ skip }) => skip(noEmulation)));
else describeBackend(emulatedCuda());
