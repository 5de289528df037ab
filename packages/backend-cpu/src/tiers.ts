/** One backend of several tiers. The registry tries them one by one; whoever asks the provider itself gets the first that opens. */
import { type BackendProvider, type Detection, halfbyteError, type Reason } from "@halfbyte/core";
import { type CpuOptions, expectOptions, type OpenOptions } from "./options.js";

type TiersOf = (options: CpuOptions) => readonly BackendProvider[];

/** `tiersOf` says which tiers some options ask for, best first; there is at least one. */
export function tieredProvider(given: CpuOptions, tiersOf: TiersOf): BackendProvider<CpuOptions> {
  return {
    name: "cpu",
    tiers: tiersOf(given),
    detect: async (options) =>
      merged(await Promise.all(tiersOf({ ...given, ...options }).map((tier) => tier.detect()))),
    open: async (options: OpenOptions = {}) => {
      expectOptions({ ...given, ...options });
      return openFirst(tiersOf({ ...given, ...options }), options.signal);
    },
  };
}

/** What the first tier says, with the candidates of all. */
function merged(detections: readonly Detection[]): Detection {
  const best = detections.find(({ available }) => available) ?? detections[0]!;
  return { ...best, candidates: detections.flatMap(({ candidates }) => candidates) };
}

async function openFirst(tiers: readonly BackendProvider[], signal: AbortSignal | undefined) {
  const reasons: Reason[] = [];
  for (const tier of tiers) {
    try {
      return await tier.open(signal ? { signal } : {});
    } catch (thrown) {
      if (signal?.aborted || tiers.length === 1) throw thrown;
      reasons.push(thrown as Reason);
    }
  }
  throw halfbyteError("NOT_AVAILABLE", reasons.map(({ message }) => message).join(" "), {
    remedy: reasons.map(({ remedy }) => remedy).join(" "),
  });
}
