/**
 * The libraries that an ELF file needs and the folders that it names for them, read from its dynamic section: what `ldd` would list
 * first, without running anything. A file that is not what it claims gives a reason, never an endless or huge read.
 */
import type { World } from "./world.js";

export interface ElfDependencies {
  /** Sonames, as the file lists them. */
  readonly needed: readonly string[];
  readonly soname?: string;
  /** Folders that are looked through before LD_LIBRARY_PATH; without effect beside a runpath. */
  readonly rpath: readonly string[];
  /** Folders that are looked through after it. */
  readonly runpath: readonly string[];
  /** EM_X86_64 is 62, EM_AARCH64 183. */
  readonly machine: number;
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

const segmentType = { load: 1, dynamic: 2 } as const;
const tag = { needed: 1, stringTable: 5, stringSize: 10, soname: 14, rpath: 15, runpath: 29 } as const;
const headerBytes = 64;
const programBytes = 56;
const entryBytes = 16;
/** Far beyond every real file. */
const most = { programs: 256, dynamic: 64 * 1024, strings: 4 * 1024 * 1024 } as const;
/** Of a file, or of a list of folders. */
const mostName = 4096;

type Reader = Pick<World, "readBytes">;

/** Rejects when the file cannot be read, or is no 64-bit little-endian ELF. */
export async function elfDependencies(world: Reader, path: string): Promise<ElfDependencies> {
  const header = await viewOf(world, path, 0, headerBytes);
  if (header.byteLength < headerBytes || header.getUint32(0) !== 0x7f454c46) throw new Error(`${path} is no ELF file.`);
  if (header.getUint8(4) !== 2 || header.getUint8(5) !== 1) throw new Error(`${path} is no 64-bit little-endian ELF.`);
  const segments = await segmentsOf(world, path, header);
  const machine = header.getUint16(18, true);
  const dynamic = segments.find(({ type }) => type === segmentType.dynamic);
  if (!dynamic) return { needed: [], rpath: [], runpath: [], machine };
  const entries = entriesOf(await viewOf(world, path, dynamic.offset, Math.min(dynamic.size, most.dynamic)));
  const strings = await stringsOf(world, path, entries, segments);
  const named = (wanted: number): string[] =>
    entries.filter(([id]) => id === wanted).map(([, at]) => textAt(strings, at));
  const [soname] = named(tag.soname);
  return {
    needed: named(tag.needed).filter(isNamed),
    ...(soname && { soname }),
    rpath: named(tag.rpath).flatMap(foldersOf),
    runpath: named(tag.runpath).flatMap(foldersOf),
    machine,
  };
}

const isNamed = (text: string): boolean => text !== "";
const foldersOf = (list: string): string[] => list.split(":").filter(isNamed);

async function viewOf(world: Reader, path: string, offset: number, length: number): Promise<DataView> {
  const bytes = await world.readBytes(path, offset, length);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

async function segmentsOf(world: Reader, path: string, header: DataView): Promise<Segment[]> {
  const [offset, size, count] = [number64(header, 32), header.getUint16(54, true), header.getUint16(56, true)];
  if (size < programBytes || count > most.programs) throw new Error(`${path} has a damaged header.`);
  const table = await viewOf(world, path, offset, size * count);
  return Array.from({ length: Math.floor(table.byteLength / size) }, (_, i) => ({
    type: table.getUint32(i * size, true),
    offset: number64(table, i * size + 8),
    address: number64(table, i * size + 16),
    size: number64(table, i * size + 32),
  }));
}

/** Tag and value, up to the entry that ends the table. */
function entriesOf(table: DataView): [tag: number, value: number][] {
  const entries: [number, number][] = [];
  for (let at = 0; at + entryBytes <= table.byteLength; at += entryBytes) {
    const id = number64(table, at);
    if (id === 0) break;
    entries.push([id, number64(table, at + 8)]);
  }
  return entries;
}

/** The table's address is that in memory; the segment around it tells where it lies in the file. */
async function stringsOf(
  world: Reader,
  path: string,
  entries: readonly (readonly [number, number])[],
  segments: readonly Segment[],
): Promise<Uint8Array> {
  const value = (wanted: number): number => entries.find(([id]) => id === wanted)?.[1] ?? 0;
  const [address, size] = [value(tag.stringTable), Math.min(value(tag.stringSize), most.strings)];
  const home = segments.find(
    (each) => each.type === segmentType.load && address >= each.address && address < each.address + each.size,
  );
  if (!home) throw new Error(`${path} has no string table where it says.`);
  return world.readBytes(path, address - home.address + home.offset, size);
}

function textAt(strings: Uint8Array, at: number): string {
  const end = strings.indexOf(0, at);
  return end < 0 || at >= strings.length
    ? ""
    : new TextDecoder().decode(strings.subarray(at, Math.min(end, at + mostName)));
}

/** What does not fit a number exactly is no offset of any file. */
function number64(view: DataView, at: number): number {
  const value = view.getBigUint64(at, true);
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
}
