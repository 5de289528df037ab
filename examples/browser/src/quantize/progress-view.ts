/** How far a run is: every tensor for the eye, every quarter for the ear. */
import { part } from "../dom.js";
import type { Plan, QuantizeProgress } from "./quantize-calls.js";

export interface ProgressView {
  readonly begin: (plan: Plan) => void;
  readonly update: (progress: QuantizeProgress) => void;
  readonly end: (said: string) => void;
}

/** Measuring reads everything once more, from files that are at hand: it is given a tenth. */
const measuredFrom = 0.9;

export function progressView(): ProgressView {
  const place = part("running", HTMLElement);
  const bar = part("progress", HTMLProgressElement);
  const text = part("progress-text", HTMLElement);
  const announce = part("announce", HTMLElement);
  let bytesIn = 1;
  let quarter = 0;
  return {
    begin(plan) {
      bytesIn = Math.max(1, plan.bytesIn);
      quarter = 0;
      bar.value = 0;
      text.textContent = "Opening";
      place.hidden = false;
    },
    update({ stage, tensor, done, total, bytes }) {
      bar.value =
        stage === "quantize" ? (measuredFrom * bytes) / bytesIn : measuredFrom + (1 - measuredFrom) * (done / total);
      text.textContent = `${stage === "quantize" ? "Quantizing" : "Measuring"} ${done} of ${total}: ${tensor}`;
      const reached = Math.floor(4 * bar.value);
      if (reached > quarter) announce.textContent = `${25 * reached} percent`;
      quarter = reached;
    },
    end(said) {
      place.hidden = true;
      announce.textContent = said;
    },
  };
}
