/** Reports are made to be shown to others: the name in the path of the home folder is nobody's business. */
import { homedir } from "node:os";

/** A copy in which every text says ~ for the home folder. */
export function maskHome<T>(value: T, home: string = homedir()): T {
  if (home.length < 2) return value;
  const pattern = new RegExp(
    `${home.replace(/[\\/]$/, "").replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}(?![\\w-]|\\.\\w)`,
    "g",
  );
  return masked(value, (text) => text.replace(pattern, "~")) as T;
}

function masked(value: unknown, mask: (text: string) => string): unknown {
  if (typeof value === "string") return mask(value);
  if (Array.isArray(value)) return value.map((item) => masked(item, mask));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, masked(item, mask)]));
}
