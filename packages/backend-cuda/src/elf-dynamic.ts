/**
 * What an ELF library asks of the system's loader: the shared libraries that it needs and the folders that it names for them. Read
 * from the file, in a few small pieces; nothing is loaded or run.
 */
import type { World } from "./world.js";

export interface DynamicSection {
  readonly needed: readonly string[];
  readonly soname?: string;
  /** Folders before LD_LIBRARY_PATH; without effect where there is a runpath. */
  readonly rpath: readonly string[];
  /** Folders after LD_LIBRARY_PATH. */
  readonly runpath: readonly string[];
}

type Reader = Pick<World, "readBytes">;

const headerBytes = 64;
const segmentBytes = 56;
/** Far above what linkers write: a damaged file must not make us read all of it. */
const tableLimit = 1 << 20;
const [loadSegment, dynamicSegment] = [1, 2];
const tags = { end: 0, needed: 1, stringTable: 5, stringBytes: 10, soname: 14, rpath: 15, runpath: 29 } as const;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly bytes: number;
}

/** Throws an Error that says what is wrong: not an ELF file, or none of 64 bits, little endian. */
export async function readDynamicSection(reader: Reader, path: string): Promise<DynamicSection> {
  const segments = await segmentsOf(reader, path);
  const dynamic = segments.find(({ type }) => type === dynamicSegment);
  if (!dynamic) return { needed: [], rpath: [], runpath: [] };
  const entries = entriesOf(await part(reader, path, dynamic.offset, dynamic.bytes));
  const strings = await stringsOf(reader, path, segments, entries);
  const all = (tag: number) => entries.filter(([found]) => found === tag).map(([, at]) => strings(at));
  const folders = (tag: number) => all(tag).flatMap((list) => list.split(":").filter((folder) => folder !== ""));
  const soname = all(tags.soname)[0];
  return {
    needed: all(tags.needed),
    ...(soname !== undefined && { soname }),
    rpath: folders(tags.rpath),
    runpath: folders(tags.runpath),
  };
}

async function segmentsOf(reader: Reader, path: string): Promise<Segment[]> {
  const header = await part(reader, path, 0, headerBytes);
  if (header.byteLength < 4 || header.getUint32(0) !== 0x7f454c46) throw new Error("it is no ELF file");
  if (header.byteLength < headerBytes) throw new Error("it ends within its header");
  if (header.getUint8(4) !== 2 || header.getUint8(5) !== 1) throw new Error("it is not of 64 bits, little endian");
  const [size, count] = [header.getUint16(54, true), header.getUint16(56, true)];
  if (size < segmentBytes) throw new Error("its program headers are too short");
  const table = await part(reader, path, wide(header, 32), size * count);
  return Array.from({ length: Math.floor(table.byteLength / size) }, (_, i) => segment(table, i * size));
}

const segment = (table: DataView, at: number): Segment => ({
  type: table.getUint32(at, true),
  offset: wide(table, at + 8),
  address: wide(table, at + 16),
  bytes: wide(table, at + 32),
});

function entriesOf(table: DataView): (readonly [tag: number, value: number])[] {
  const all = Array.from({ length: Math.floor(table.byteLength / 16) }, (_, i) => i * 16);
  const entries = all.map((at) => [wide(table, at), wide(table, at + 8)] as const);
  const end = entries.findIndex(([tag]) => tag === tags.end);
  return end < 0 ? entries : entries.slice(0, end);
}

/** Reader of the file's string table. */
async function stringsOf(
  reader: Reader,
  path: string,
  segments: readonly Segment[],
  entries: readonly (readonly [number, number])[],
): Promise<(at: number) => string> {
  const entryOf = (wanted: number) => entries.find(([tag]) => tag === wanted)?.[1] ?? 0;
  const address = entryOf(tags.stringTable);
  const home = segments.find((part) => part.type === loadSegment && within(part, address));
  if (!home) throw new Error("its string table lies nowhere");
  const table = await part(reader, path, home.offset + address - home.address, entryOf(tags.stringBytes));
  const bytes = new Uint8Array(table.buffer, table.byteOffset, table.byteLength);
  return (at) => {
    const end = bytes.indexOf(0, at);
    return new TextDecoder().decode(bytes.subarray(at, end < 0 ? at : end));
  };
}

const within = ({ address, bytes }: Segment, wanted: number): boolean => wanted >= address && wanted < address + bytes;

async function part(reader: Reader, path: string, offset: number, length: number): Promise<DataView> {
  if (length > tableLimit) throw new Error("a table in it is larger than any linker makes");
  const bytes = await reader.readBytes(path, offset, length);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const wide = (bytes: DataView, at: number): number => Number(bytes.getBigUint64(at, true));
