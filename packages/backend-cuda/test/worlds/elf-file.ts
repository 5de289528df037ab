/** A 64-bit ELF file that needs libraries and does nothing: what a reader of dependencies looks at, and no more. */

const header = 64;
const program = 56;
const entry = 16;
/** Where the file says that it lies in memory: not where it lies in the file. */
const address = 0x40_0000;

export interface ElfContents {
  readonly needed: readonly string[];
  readonly soname?: string;
  readonly machine?: number;
}

export function elfFile({ needed, soname, machine = 62 }: ElfContents): Uint8Array {
  const names = [...needed, ...(soname === undefined ? [] : [soname])];
  const strings = Buffer.from(`\0${names.map((name) => `${name}\0`).join("")}`);
  const at = (name: string): number => strings.indexOf(`\0${name}\0`) + 1;
  const dynamicAt = header + 2 * program;
  const stringsAt = dynamicAt + entry * (names.length + 3);
  const size = stringsAt + strings.length;
  const entries = [
    ...needed.map((name) => [1, at(name)]),
    ...(soname === undefined ? [] : [[14, at(soname)]]),
    [5, address + stringsAt],
    [10, strings.length],
    [0, 0],
  ] as [number, number][];
  const file = Buffer.alloc(size);
  writeHeader(file, machine);
  writeSegment(file, header, 1, 0, size);
  writeSegment(file, header + program, 2, dynamicAt, entries.length * entry);
  entries.forEach(([tag, value], i) => {
    file.writeBigUInt64LE(BigInt(tag), dynamicAt + i * entry);
    file.writeBigUInt64LE(BigInt(value), dynamicAt + i * entry + 8);
  });
  strings.copy(file, stringsAt);
  return file;
}

/** A shared object for little-endian machines with two program headers. */
function writeHeader(file: Buffer, machine: number): void {
  file.write("\x7fELF\x02\x01\x01", "latin1");
  file.writeUInt16LE(3, 16);
  file.writeUInt16LE(machine, 18);
  file.writeBigUInt64LE(BigInt(header), 32);
  file.writeUInt16LE(program, 54);
  file.writeUInt16LE(2, 56);
}

function writeSegment(file: Buffer, at: number, type: number, offset: number, size: number): void {
  file.writeUInt32LE(type, at);
  file.writeBigUInt64LE(BigInt(offset), at + 8);
  file.writeBigUInt64LE(BigInt(address + offset), at + 16);
  file.writeBigUInt64LE(BigInt(size), at + 32);
}
