/** The lowest glibc a library runs with: the highest version its ELF version needs (.gnu.version_r) ask of glibc. */

const versionNeeds = 0x6ffffffe;

/** Such as "2.34"; null for what is no 64-bit little-endian ELF or needs no version. @param {Buffer} elf */
export function glibcFloor(elf) {
  const versions = neededVersions(elf)
    .map((name) => /^GLIBC_(\d+)\.(\d+)/.exec(name))
    .filter((match) => match !== null)
    .map(([, major, minor]) => [Number(major), Number(minor)])
    .sort(([a, b], [c, d]) => c - a || d - b);
  return versions[0]?.join(".") ?? null;
}

function neededVersions(elf) {
  if (elf.length < 64 || elf.readUInt32BE(0) !== 0x7f454c46 || elf[4] !== 2 || elf[5] !== 1) return [];
  const sections = sectionsOf(elf);
  const needs = sections.find(({ type }) => type === versionNeeds);
  if (!needs) return [];
  const names = sections[needs.link].offset;
  return chain(elf, needs.offset, 12).flatMap((need) =>
    chain(elf, need + elf.readUInt32LE(need + 8), 12).map((aux) => textAt(elf, names + elf.readUInt32LE(aux + 8))),
  );
}

function sectionsOf(elf) {
  const [table, size, count] = [Number(elf.readBigUInt64LE(40)), elf.readUInt16LE(58), elf.readUInt16LE(60)];
  return Array.from({ length: count }, (_, index) => {
    const at = table + index * size;
    return {
      type: elf.readUInt32LE(at + 4),
      offset: Number(elf.readBigUInt64LE(at + 24)),
      link: elf.readUInt32LE(at + 40),
    };
  });
}

/** Offsets of linked entries; each holds at `next` how far on the following one is, 0 at the end. */
function chain(elf, first, next) {
  const found = [first];
  for (let step = elf.readUInt32LE(first + next); step > 0; step = elf.readUInt32LE(found.at(-1) + next))
    found.push(found.at(-1) + step);
  return found;
}

const textAt = (elf, offset) => elf.toString("latin1", offset, elf.indexOf(0, offset));
