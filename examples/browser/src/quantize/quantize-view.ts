/** The form: files, a format, Quantize and Stop; below it what would be done, then what was done. */
import type { Caller } from "../calls.js";
import { html, part } from "../dom.js";
import { bytes, counted } from "../say.js";
import { showFailure } from "../show-failure.js";
import { droppedFiles } from "./dropped-files.js";
import { type FormatView, showFormats } from "./format-view.js";
import { described } from "./formats.js";
import { showPlan } from "./plan-view.js";
import { progressView } from "./progress-view.js";
import type { Input, Plan, QuantizeCalls, Result } from "./quantize-calls.js";
import { showResult } from "./result-view.js";

export function showQuantizer(call: Caller<QuantizeCalls>): void {
  const view = new QuantizeView(call);
  view.listen();
}

class QuantizeView {
  #files: readonly File[] = [];
  #plan: Plan | undefined;
  /** Of the newest plan; an older one that arrives late is not shown. */
  #planning: AbortController | undefined;
  #running: AbortController | undefined;
  readonly #formats: FormatView;
  readonly #start = part("start", HTMLButtonElement);
  readonly #stop = part("stop", HTMLButtonElement);
  readonly #failure = part("quantize-failure", HTMLElement);
  readonly #picker = part("files", HTMLInputElement);
  readonly #progress = progressView();

  constructor(readonly call: Caller<QuantizeCalls>) {
    this.#formats = showFormats(() => void this.#replan());
  }

  listen(): void {
    this.#picker.addEventListener("change", () => this.#open(Array.from(this.#picker.files ?? [])));
    part("example", HTMLButtonElement).addEventListener("click", () => void this.#makeExample());
    part("form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#quantize();
    });
    this.#stop.addEventListener("click", () => this.#running?.abort());
    this.#listenForDrops(part("drop", HTMLElement));
  }

  /** Anywhere on the page, so that a file beside the frame does not replace the page. */
  #listenForDrops(frame: HTMLElement): void {
    const mark = (over: boolean) => frame.classList.toggle("over", over);
    addEventListener("dragover", (event) => {
      event.preventDefault();
      mark(true);
    });
    addEventListener("dragleave", ({ relatedTarget }) => relatedTarget === null && mark(false));
    addEventListener("drop", async (event) => {
      event.preventDefault();
      mark(false);
      if (event.dataTransfer) this.#open(await droppedFiles(event.dataTransfer));
    });
  }

  async #makeExample(): Promise<void> {
    try {
      this.#open([await this.call("example", null)]);
    } catch (thrown) {
      showFailure(this.#failure, thrown);
    }
  }

  #open(files: readonly File[]): void {
    if (files.length === 0 || this.#running) return;
    this.#files = files;
    const size = files.reduce((sum, file) => sum + file.size, 0);
    part("drop-title", HTMLElement).textContent = files.length === 1 ? files[0]!.name : counted(files.length, "file");
    part("drop-detail", HTMLElement).textContent = `${bytes(size)}. Drop or pick another to replace it.`;
    void this.#replan();
  }

  get #input(): Input {
    return { files: this.#files, choice: this.#formats.choice() };
  }

  /** What would be done, whenever files or format change. */
  async #replan(): Promise<void> {
    if (!this.#files || this.#files.length === 0) return;
    this.#planning?.abort();
    const planning = new AbortController();
    this.#planning = planning;
    this.#plan = undefined;
    this.#start.disabled = true;
    try {
      const plan = await this.call("plan", this.#input, { signal: planning.signal });
      if (!planning.signal.aborted) this.#planned(plan);
    } catch (thrown) {
      if (!planning.signal.aborted) this.#refused(thrown);
    }
  }

  #planned(plan: Plan): void {
    this.#plan = plan;
    this.#start.disabled = false;
    this.#failure.replaceChildren();
    part("result", HTMLElement).hidden = true;
    part("estimate", HTMLElement).replaceChildren(
      html("strong", {}, `${bytes(plan.bytesIn)} → about ${bytes(plan.bytesOut)}`),
      ` as ${described(this.#formats.choice())}`,
    );
    showPlan(part("plan", HTMLElement), plan);
  }

  #refused(thrown: unknown): void {
    part("plan", HTMLElement).hidden = true;
    part("result", HTMLElement).hidden = true;
    part("estimate", HTMLElement).replaceChildren();
    showFailure(this.#failure, thrown);
  }

  async #quantize(): Promise<void> {
    if (!this.#plan || this.#running) return;
    const [running, input, plan] = [new AbortController(), this.#input, this.#plan];
    this.#running = running;
    this.#failure.replaceChildren();
    this.#busy(true);
    this.#progress.begin(plan);
    try {
      const result = await this.call("quantize", input, { signal: running.signal, onProgress: this.#progress.update });
      this.#finished(result, input);
    } catch (thrown) {
      this.#progress.end("Nothing was written.");
      showFailure(this.#failure, thrown);
    } finally {
      this.#running = undefined;
      this.#busy(false);
    }
  }

  #finished(result: Result, input: Input): void {
    this.#progress.end(`Done. ${bytes(result.report.bytesIn)} became ${bytes(result.report.bytesOut)}.`);
    const plan = part("plan", HTMLElement);
    plan.hidden = true;
    plan.replaceChildren();
    showResult(part("result", HTMLElement), result, input);
  }

  #busy(busy: boolean): void {
    for (const control of [this.#start, this.#picker, part("example", HTMLButtonElement)]) control.disabled = busy;
    this.#formats.disabled(busy);
    this.#stop.hidden = !busy;
    this.#start.hidden = busy;
    part("estimate", HTMLElement).hidden = busy;
    if (busy) this.#stop.focus();
  }
}
