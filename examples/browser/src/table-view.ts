/** Tables. */
import { type Cell, cells, html } from "./dom.js";

/** A table in a frame of its own that scrolls, also by keyboard. */
export const scrollingTable = (label: string, head: readonly Cell[], rows: readonly HTMLElement[]): HTMLElement =>
  html(
    "div",
    { class: "table", role: "region", tabindex: 0, "aria-label": label },
    html("table", {}, html("thead", {}, html("tr", {}, ...cells("th", head))), html("tbody", {}, ...rows)),
  );

/** A dotted name, which may be broken after its dots. */
export function dotted(name: string): DocumentFragment {
  const parts = name.split(/(?<=\.)/);
  const fragment = document.createDocumentFragment();
  for (const [index, part] of parts.entries()) fragment.append(...(index > 0 ? [html("wbr"), part] : [part]));
  return fragment;
}
