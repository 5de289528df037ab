/** The process's own reference backend, for work that is defined on the host: nested statistics, expectations of self-tests. */
import { type Backend, createBackend } from "../backend.js";
import { createReferenceDevice } from "./device.js";

let shared: Backend | undefined;

/** One shared instance; it is never closed. */
export function referenceBackend(): Backend {
  shared ??= createBackend(createReferenceDevice(), {
    chosen: "reference",
    skipped: [],
    selfTest: { cases: 0, ms: 0, cached: false },
  });
  return shared;
}
