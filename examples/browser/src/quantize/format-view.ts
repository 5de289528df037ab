/** Choosing a format, its block size, and whether the scales are quantized too. */
import { bitsPerWeight } from "@halfbyte/core";
import { html, part } from "../dom.js";
import { codebookFigure } from "./codebook-view.js";
import { formatNamed, type OfferedFormat, offeredFormats } from "./formats.js";
import type { FormatChoice } from "./quantize-calls.js";

export interface FormatView {
  readonly choice: () => FormatChoice;
  readonly disabled: (disabled: boolean) => void;
}

export function showFormats(changed: () => void): FormatView {
  const formats = part("formats", HTMLFieldSetElement);
  const blockSize = part("block-size", HTMLSelectElement);
  const nested = part("nested", HTMLInputElement);
  const settings = part("settings", HTMLElement);
  const chosen = () => formatNamed(formats.querySelector<HTMLInputElement>("input:checked")!.value);
  formats.append(...offeredFormats.map(radio));

  const choice = (): FormatChoice => {
    const { name, record } = chosen();
    if (record.scales === "row") return { format: name };
    return { format: name, blockSize: Number(blockSize.value), nested: nested.checked };
  };
  const update = () => {
    const { name, record } = chosen();
    offerBlockSizes(blockSize, record.blockSizes, record.defaultBlockSize);
    settings.hidden = record.scales === "row";
    part("codebook", HTMLElement).replaceChildren(...codebookFigure(record, name));
    sayBits(choice());
    changed();
  };
  update();
  formats.addEventListener("change", update);
  settings.addEventListener("change", () => {
    sayBits(choice());
    changed();
  });
  const disabled = (off: boolean) => {
    for (const control of [formats, blockSize, nested]) control.disabled = off;
  };
  return { choice, disabled };
}

function radio({ name, says }: OfferedFormat, index: number): HTMLElement {
  return html(
    "label",
    { class: "format" },
    html("input", { type: "radio", name: "format", value: name, checked: index === 0 }),
    html("strong", {}, name, " ", html("output", { id: `bits-${name}` })),
    html("span", {}, says),
  );
}

/** A size that the new format has too stays chosen. */
function offerBlockSizes(select: HTMLSelectElement, sizes: readonly number[], usual: number): void {
  const wanted = sizes.includes(Number(select.value)) ? Number(select.value) : usual;
  select.replaceChildren(
    ...sizes.map((size) => html("option", { value: size, selected: size === wanted }, String(size))),
  );
}

/** Beside every format, with the settings as they are. */
function sayBits({ blockSize, nested = false }: FormatChoice): void {
  for (const { name, record } of offeredFormats) {
    const size = record.blockSizes.includes(blockSize ?? 0) ? blockSize! : record.defaultBlockSize;
    const bits = record.scales === "row" ? record.bits : bitsPerWeight(record, size, nested);
    part(`bits-${name}`, HTMLElement).textContent = `${Number(bits.toFixed(2))} bits`;
  }
}
