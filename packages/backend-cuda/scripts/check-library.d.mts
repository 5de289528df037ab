import type { Architectures } from "./architectures.mjs";

export const oldestSystem: Readonly<Record<"GLIBC" | "GLIBCXX", string>>;
export function problemsOf(library: string, stated: Architectures, floors?: Readonly<Record<string, string>>): string[];
export function codeIn(library: string): Architectures | undefined;
export function describeLibrary(library: string): string;
