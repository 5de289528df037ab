/**
 * Is an ELF file whole? The loader maps one that was cut off and kills the process when it touches what is missing, so this is
 * looked at before. Other systems check their libraries themselves.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

interface Layout {
  /** Offsets of fields of the file header and of a program header; 4 or 8 bytes wide where it matters. */
  readonly wide: boolean;
  readonly programOffset: number;
  readonly sectionOffset: number;
  /** programSize, programCount, sectionSize, sectionCount: 16 bits each, in this order. */
  readonly counts: number;
  readonly segmentOffset: number;
  readonly segmentSize: number;
}

const layouts: Readonly<Record<number, Layout>> = {
  1: { wide: false, programOffset: 28, sectionOffset: 32, counts: 42, segmentOffset: 4, segmentSize: 16 },
  2: { wide: true, programOffset: 32, sectionOffset: 40, counts: 54, segmentOffset: 8, segmentSize: 32 },
};

const headerBytes = 64;

/** Whether the file is an ELF that ends before its segments or its section table do. */
export function isCutOff(path: string): boolean {
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    const header = part(file, 0, Math.min(headerBytes, size));
    if (header.length < 4 || header.readUInt32BE(0) !== 0x7f454c46) return false;
    return header.length < headerBytes || endOf(file, header, size) > size;
  } finally {
    closeSync(file);
  }
}

/** The end of what the headers speak of. Headers of another byte order are another machine's: the loader refuses them. */
function endOf(file: number, header: Buffer, size: number): number {
  const layout = layouts[header[4]!];
  if (!layout || header[5] !== 1) return 0;
  const word = (bytes: Buffer, at: number) =>
    layout.wide ? Number(bytes.readBigUInt64LE(at)) : bytes.readUInt32LE(at);
  const [programSize, programCount, sectionSize, sectionCount] = [0, 2, 4, 6].map((at) =>
    header.readUInt16LE(layout.counts + at),
  ) as [number, number, number, number];
  const programs = word(header, layout.programOffset);
  const ends = [programs + programSize * programCount, word(header, layout.sectionOffset) + sectionSize * sectionCount];
  if (ends[0]! > size) return ends[0]!;
  const table = part(file, programs, programSize * programCount);
  for (let at = 0; at + programSize <= table.length && programSize >= layout.segmentSize + 8; at += programSize)
    ends.push(word(table, at + layout.segmentOffset) + word(table, at + layout.segmentSize));
  return Math.max(...ends);
}

function part(file: number, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(file, bytes, 0, length, offset));
}
