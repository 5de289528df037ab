/**
 * What shows in the headers of an ELF file without the system's loader: which machine it is for, and whether it is whole. The loader
 * maps a file that was cut off and kills the process when it touches what is missing; of one for another machine it says only that it
 * cannot be opened. Other systems check their libraries themselves.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { Reason } from "@halfbyte/core";
import { reasonOf } from "./reason.js";

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

/** Class (1: 32 bits, 2: 64), byte order (1: little endian) and machine number of what process.arch names. */
const machines: Readonly<Record<string, readonly [elfClass: number, order: number, machine: number]>> = {
  x64: [2, 1, 62],
  arm64: [2, 1, 183],
  ia32: [1, 1, 3],
  arm: [1, 1, 40],
  riscv64: [2, 1, 243],
  loong64: [2, 1, 258],
  ppc64: [2, 1, 21],
  s390x: [2, 2, 22],
};

const headerBytes = 64;
const machineOffset = 18;

/** Why an ELF file must not be given to the loader; undefined for files that are none, of which the loader has its own to say. */
export function elfRefusal(path: string, arch: string = process.arch): Reason | undefined {
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    const header = part(file, 0, Math.min(headerBytes, size));
    if (header.length < 4 || header.readUInt32BE(0) !== 0x7f454c46) return undefined;
    return machineRefusal(path, header, arch) ?? (isCutOff(file, header, size) ? cutOff(path) : undefined);
  } finally {
    closeSync(file);
  }
}

const cutOff = (path: string): Reason => reasonOf("LIBRARY_LOAD_FAILED", `${path} ends before its contents do.`);

function machineRefusal(path: string, header: Buffer, arch: string): Reason | undefined {
  const here = machines[arch];
  if (!here || header.length < machineOffset + 2) return undefined;
  const [elfClass, order] = [header[4]!, header[5]!];
  const machine = order === 2 ? header.readUInt16BE(machineOffset) : header.readUInt16LE(machineOffset);
  if (elfClass === here[0] && order === here[1] && machine === here[2]) return undefined;
  const found = machineName(elfClass, order, machine);
  return reasonOf("LIBRARY_WRONG_ARCHITECTURE", `${path} is made for ${found}; this process is ${arch}.`);
}

function machineName(elfClass: number, order: number, machine: number): string {
  const known = Object.entries(machines).find(([, [c, o, m]]) => c === elfClass && o === order && m === machine);
  if (known) return known[0];
  const bits = elfClass === 1 ? "32 bits" : elfClass === 2 ? "64 bits" : "an unknown word size";
  return `another machine (${bits}, machine number ${machine})`;
}

/** Whether the file ends before its segments or its section table do. */
const isCutOff = (file: number, header: Buffer, size: number): boolean =>
  header.length < headerBytes || endOf(file, header, size) > size;

/** The end of what the headers speak of. Headers of another byte order are another machine's. */
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
