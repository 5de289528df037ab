/** Text that others wrote: files, programs, drivers. It may be huge, binary, or not what it should be. */

/** What is told in the first of it; nothing that is read here stands further down. */
const headLength = 64 * 1024;

export const headOf = (text: string): string => text.slice(0, headLength);

export const linesOf = (text: string, most = 1000): string[] => headOf(text).split(/\r?\n/).slice(0, most);

/** Such as 535.54.03 or 580. Undefined when it is no driver's version. */
export function driverVersionOf(text: string): string | undefined {
  return /^\d{3,4}(?:\.\d{1,4}){0,2}$/.exec(text.trim())?.[0];
}

/** A name that can be printed; undefined when it cannot. */
export function nameOf(text: unknown): string | undefined {
  if (typeof text !== "string") return undefined;
  const name = text.trim();
  // Letters, digits, punctuation and spaces of ASCII: what drivers call their devices.
  return /^[\x20-\x7e]{1,128}$/.test(name) ? name : undefined;
}

/** One line that can be shown on a terminal, whatever a program, a variable or a driver said. */
export const oneLine = (text: string, most: number): string =>
  text
    .slice(0, most)
    .replace(/\p{C}+/gu, " ")
    .trim();
