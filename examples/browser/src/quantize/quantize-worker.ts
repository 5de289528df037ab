/**
 * The worker that quantizes, with the CPU's WebAssembly kernels: a file is read once and written once, so there is nothing to gain from
 * sending it to a GPU and back.
 */
import { cpu } from "@halfbyte/backend-cpu";
import { type Backend, openBackend } from "@halfbyte/core";
import { answerCalls } from "../calls.js";
import { exampleModel, exampleName } from "./example-model.js";
import type { QuantizeCalls } from "./quantize-calls.js";
import { planFiles, quantizeFiles } from "./quantize-files.js";
import { openScratch, type Scratch } from "./scratch.js";

/** lean: nothing is multiplied here, so no weight needs a second copy. */
let opening: Promise<Backend> | undefined;
const backend = (): Promise<Backend> => (opening ??= openBackend([cpu({ memory: "lean" })]));

/** Of the last result: one at a time. */
let scratch: Scratch | undefined;

answerCalls<QuantizeCalls>({
  async ready() {
    const { name, tier } = await backend();
    return { backend: `${name} (${tier})` };
  },
  example: async () => new File([exampleModel() as Uint8Array<ArrayBuffer>], exampleName),
  plan: (input, { signal }) => planFiles(input, signal),
  async quantize(input, context) {
    await scratch?.remove();
    const fresh = await openScratch();
    scratch = fresh;
    try {
      return await quantizeFiles(input, await backend(), fresh, context);
    } catch (thrown) {
      await fresh.remove();
      throw thrown;
    }
  },
});
