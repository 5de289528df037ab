/** Making and finding elements. Nothing is parsed from text: names of tensors and files are data, not markup. */

type Child = Node | string | undefined;
type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** An HTML element; attributes that are false or undefined are left out. */
export function html<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  return filled(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled<E extends Element>(element: E, attributes: Attributes, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(attributes))
    if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** The element of the page with this id. Throws when the page has none of that kind. */
export function part<E extends HTMLElement>(id: string, kind: new () => E): E {
  const element = document.getElementById(id);
  if (element instanceof kind) return element;
  throw new Error(`The page has no ${kind.name} #${id}.`);
}

/** What stands in a cell of a table; numbers stand to the right. */
export type Cell = Child | { readonly number: string };

export const cells = (tag: "td" | "th", entries: readonly Cell[]): HTMLElement[] =>
  entries.map((entry) =>
    typeof entry === "object" && "number" in entry
      ? html(tag, { class: "number" }, entry.number)
      : html(tag, tag === "th" ? { scope: "col" } : {}, entry),
  );
