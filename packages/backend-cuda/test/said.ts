/** What a test made halfbyte say. */
import { vi } from "vitest";

type Level = "error" | "warn" | "info" | "debug";

const levels: readonly Level[] = ["error", "warn", "info", "debug"];
const said: { level: Level; message: string }[] = [];

/** Listens from now on, to what was said before as well. */
export function atAnyLevel(): void {
  said.length = 0;
  delete (globalThis as { [key: symbol]: unknown })[Symbol.for("halfbyte.said")];
  for (const level of levels)
    vi.spyOn(console, level).mockImplementation(
      (message: unknown) => void said.push({ level, message: String(message) }),
    );
}

export const saidAt = (wanted: Level): string[] =>
  said.filter(({ level }) => level === wanted).map(({ message }) => message);
