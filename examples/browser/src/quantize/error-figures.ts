/** The two pictures of a result, of all weights or of one: how far weights moved, and which codes they use. */
import { html } from "../dom.js";
import { percent } from "../say.js";
import { codebookFigure, entropy } from "./codebook-view.js";
import type { TensorFigures } from "./element-errors.js";
import { formatNamed } from "./formats.js";
import { histogramFigure } from "./histogram-view.js";

export interface ErrorFigures {
  readonly element: HTMLElement;
  /** One weight, or all again when it is the one that is shown. */
  readonly select: (name: string) => void;
}

export function errorFigures(figures: ReadonlyMap<string, TensorFigures>, format: string): ErrorFigures {
  const element = html("div", { class: "figures" });
  let shown: string | undefined;
  const show = () => {
    element.replaceChildren(
      ...pictures(shown === undefined ? summed([...figures.values()]) : figures.get(shown)!, format, shown),
    );
    for (const button of Array.from(document.querySelectorAll("[data-tensor] button")))
      button.setAttribute("aria-pressed", String(button.textContent === shown));
  };
  show();
  return {
    element,
    select(name) {
      shown = shown === name ? undefined : name;
      show();
    },
  };
}

function summed(figures: readonly TensorFigures[]): TensorFigures {
  const [first] = figures;
  const [errors, codes] = [new Uint32Array(first!.errors.length), new Uint32Array(first!.codes.length)];
  let sampled = 0;
  for (const figure of figures) {
    for (const [bin, count] of figure.errors.entries()) errors[bin]! += count;
    for (const [code, count] of figure.codes.entries()) codes[code]! += count;
    sampled += figure.sampled;
  }
  return { errors, codes, sampled };
}

function pictures(figures: TensorFigures, format: string, tensor: string | undefined): HTMLElement[] {
  const { errors, codes } = figures;
  const of = tensor ?? "all quantized weights";
  const { record } = formatNamed(format);
  const { children, beyond } = histogramFigure(errors);
  const moved = `${of}, in parts of the RMS; ${percent(beyond)} beyond the ends${sampling(figures)}`;
  const used = `${of}; ${entropy(codes).toFixed(2)} of ${record.bits} bits carry information`;
  return [
    picture("How far weights moved", moved, children),
    picture("Which codes they use", used, codebookFigure(record, format, codes)),
  ];
}

/** Of large weights not every element is looked at. */
function sampling({ codes, sampled }: TensorFigures): string {
  const whole = codes.reduce((sum, count) => sum + count, 0);
  return sampled === whole ? "" : `; ${percent(sampled / whole)} of the elements were looked at`;
}

const picture = (title: string, says: string, children: readonly Node[]): HTMLElement =>
  html(
    "figure",
    {},
    html("figcaption", {}, html("strong", {}, title), html("span", { class: "hint" }, says)),
    ...children,
  );
