export function glibcFloor(elf: Buffer): string | null;
export function highestVersion(elf: Buffer, family: string): string | null;
export function compareVersions(a: string, b: string): number;
export function neededLibraries(elf: Buffer): string[];
export function exportedSymbols(elf: Buffer): string[];
