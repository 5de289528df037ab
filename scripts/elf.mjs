/**
 * What an ELF library says of itself without being loaded: what it needs, what it offers, and the oldest C library it runs with. For 64-bit
 * little-endian files; of others nothing is known. Plain Node.
 */

const sectionTypes = { dynamic: 6, dynamicSymbols: 11, versionNeeds: 0x6ffffffe };
const neededTag = 1;

/** Such as "2.34"; null for what is no 64-bit little-endian ELF or needs no version. @param {Buffer} elf */
export const glibcFloor = (elf) => highestVersion(elf, "GLIBC");

/** The highest version of a family of symbol versions, such as GLIBC or GLIBCXX, that is needed. @param {Buffer} elf @param {string} family */
export function highestVersion(elf, family) {
  const versions = neededVersions(elf)
    .filter((name) => name.startsWith(`${family}_`))
    .map((name) => name.slice(family.length + 1))
    .filter((version) => /^\d+(\.\d+)*$/.test(version))
    .sort(compareVersions);
  return versions.at(-1) ?? null;
}

/** By their numbers, part by part. @param {string} a @param {string} b */
export function compareVersions(a, b) {
  const [left, right] = [a, b].map((text) => text.split(".").map(Number));
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Libraries it wants to be loaded with it. @param {Buffer} elf @returns {string[]} */
export function neededLibraries(elf) {
  const sections = sectionsOf(elf);
  const dynamic = sections.find(({ type }) => type === sectionTypes.dynamic);
  if (!dynamic) return [];
  const names = sections[dynamic.link].offset;
  return entries(dynamic, 16)
    .filter((at) => Number(elf.readBigUInt64LE(at)) === neededTag)
    .map((at) => textAt(elf, names + Number(elf.readBigUInt64LE(at + 8))));
}

/** Names of the functions and objects it offers. @param {Buffer} elf @returns {string[]} */
export function exportedSymbols(elf) {
  const sections = sectionsOf(elf);
  const symbols = sections.find(({ type }) => type === sectionTypes.dynamicSymbols);
  if (!symbols) return [];
  const names = sections[symbols.link].offset;
  return entries(symbols, 24)
    .filter((at) => isOffered(elf, at))
    .map((at) => textAt(elf, names + elf.readUInt32LE(at)))
    .sort();
}

/** Defined here, and not local: the version definition itself is absolute. */
function isOffered(elf, at) {
  const [section, binding] = [elf.readUInt16LE(at + 6), elf[at + 4] >> 4];
  const absolute = 0xfff1;
  return section !== 0 && section !== absolute && binding !== 0;
}

function neededVersions(elf) {
  const sections = sectionsOf(elf);
  const needs = sections.find(({ type }) => type === sectionTypes.versionNeeds);
  if (!needs) return [];
  const names = sections[needs.link].offset;
  return chain(elf, needs.offset, 12).flatMap((need) =>
    chain(elf, need + elf.readUInt32LE(need + 8), 12).map((aux) => textAt(elf, names + elf.readUInt32LE(aux + 8))),
  );
}

function sectionsOf(elf) {
  if (elf.length < 64 || elf.readUInt32BE(0) !== 0x7f454c46 || elf[4] !== 2 || elf[5] !== 1) return [];
  const [table, size, count] = [Number(elf.readBigUInt64LE(40)), elf.readUInt16LE(58), elf.readUInt16LE(60)];
  return Array.from({ length: count }, (_, index) => {
    const at = table + index * size;
    return {
      type: elf.readUInt32LE(at + 4),
      offset: Number(elf.readBigUInt64LE(at + 24)),
      size: Number(elf.readBigUInt64LE(at + 32)),
      link: elf.readUInt32LE(at + 40),
    };
  });
}

/** Offsets of the entries of a section. */
const entries = ({ offset, size }, entrySize) =>
  Array.from({ length: Math.floor(size / entrySize) }, (_, index) => offset + index * entrySize);

/** Offsets of linked entries; each holds at `next` how far on the following one is, 0 at the end. */
function chain(elf, first, next) {
  const found = [first];
  for (let step = elf.readUInt32LE(first + next); step > 0; step = elf.readUInt32LE(found.at(-1) + next))
    found.push(found.at(-1) + step);
  return found;
}

const textAt = (elf, offset) => elf.toString("latin1", offset, elf.indexOf(0, offset));
