/**
 * Files that must be refused, for tests only. Each is a valid file with exactly one defect, so that it is refused for
 * its own reason; the test wants the code named here and no other.
 */

import type { ErrorCode } from "../errors.js";

export interface HostileFile {
  /** What is wrong, in words. */
  readonly name: string;
  readonly code: ErrorCode;
  /** The tensor that the message must name, where the defect belongs to one. */
  readonly tensor?: string;
  readonly bytes: Uint8Array;
}

/** A file from its header and its data; `claimed` is the header's length as the first 8 bytes state it. */
export function container(header: string | Uint8Array, dataBytes = 20, claimed?: bigint): Uint8Array {
  const json = typeof header === "string" ? padded(new TextEncoder().encode(header)) : header;
  const file = new Uint8Array(8 + json.length + dataBytes);
  new DataView(file.buffer).setBigUint64(0, claimed ?? BigInt(json.length), true);
  file.set(json, 8);
  for (let i = 0; i < dataBytes; i++) file[8 + json.length + i] = i + 1;
  return file;
}

const metadata = `"__metadata__":{"format":"pt"}`;
const a = `"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}`;
const b = `"b":{"dtype":"U8","shape":[4],"data_offsets":[16,20]}`;

/** The file that the others are made from: two tensors, 16 and 4 bytes. */
export const validContainer = container(`{${metadata},${a},${b}}`);

export const hostileContainers: readonly HostileFile[] = [
  // The length and what it spans
  { name: "an empty file", code: "HEADER_TRUNCATED", bytes: new Uint8Array(0) },
  { name: "7 bytes", code: "HEADER_TRUNCATED", bytes: validContainer.slice(0, 7) },
  { name: "a length and nothing else", code: "HEADER_TRUNCATED", bytes: validContainer.slice(0, 8) },
  { name: "a file cut inside its header", code: "HEADER_TRUNCATED", bytes: validContainer.slice(0, 100) },
  { name: "a header one byte longer than the file", code: "HEADER_TRUNCATED", bytes: lengthClaim(1) },
  { name: "a header one byte above the limit", code: "HEADER_TOO_LARGE", bytes: container("{}", 0, 100_000_001n) },
  { name: "a header of 2^53 + 1 bytes", code: "HEADER_TOO_LARGE", bytes: container("{}", 0, 2n ** 53n + 1n) },
  { name: "a header of 2^64 - 1 bytes", code: "HEADER_TOO_LARGE", bytes: container("{}", 0, 2n ** 64n - 1n) },
  // Text
  { name: "a name with the byte ff", code: "HEADER_NOT_UTF8", bytes: nameBytes(0xff) },
  { name: "a name with an overlong slash", code: "HEADER_NOT_UTF8", bytes: nameBytes(0xc0, 0xaf) },
  { name: "a name with a surrogate in UTF-8", code: "HEADER_NOT_UTF8", bytes: nameBytes(0xed, 0xa0, 0x80) },
  { name: "a name with half a character", code: "HEADER_NOT_UTF8", bytes: nameBytes(0xe2, 0x82) },
  { name: "a header of no bytes", code: "HEADER_NOT_JSON", bytes: container(new Uint8Array(0), 0) },
  { name: "an array", code: "HEADER_NOT_JSON", bytes: container("[]", 0) },
  { name: "white space before the object", code: "HEADER_NOT_JSON", bytes: container(` {${a},${b}}`) },
  { name: "a byte order mark", code: "HEADER_NOT_JSON", bytes: container(`\ufeff{${a},${b}}`) },
  { name: "an object that does not end", code: "HEADER_NOT_JSON", bytes: container(`{${a},${b}`) },
  { name: "text after the object", code: "HEADER_NOT_JSON", bytes: container(`{${a},${b}}{}`) },
  { name: "padding with NUL", code: "HEADER_NOT_JSON", bytes: container(`{${a},${b}}\0\0\0\0`) },
  { name: "a comma before the end", code: "HEADER_NOT_JSON", bytes: container(`{${a},${b},}`) },
  { name: "no comma between entries", code: "HEADER_NOT_JSON", bytes: container(`{${a} ${b}}`) },
  { name: "a comment", code: "HEADER_NOT_JSON", bytes: container(`{${a},/* */${b}}`) },
  { name: "a key in single quotes", code: "HEADER_NOT_JSON", bytes: container(`{${a},${b.replace(/"b"/, "'b'")}}`) },
  { name: "a number with a leading zero", code: "HEADER_NOT_JSON", bytes: withB(`"shape":[04]`) },
  { name: "a number written as hexadecimal", code: "HEADER_NOT_JSON", bytes: withB(`"shape":[0x4]`) },
  { name: "the word NaN", code: "HEADER_NOT_JSON", bytes: withB(`"shape":[NaN]`) },
  { name: "a line break in a name", code: "HEADER_NOT_JSON", bytes: renamedB("b\n") },
  { name: "an unknown escape in a name", code: "HEADER_NOT_JSON", bytes: renamedB("b\\x41") },
  { name: "half a surrogate pair in a name", code: "HEADER_NOT_JSON", bytes: renamedB("b\\ud800") },
  { name: "arrays 100 deep", code: "HEADER_NOT_JSON", bytes: withB(`"shape":[${"[".repeat(100)}${"]".repeat(100)}]`) },
  // Keys
  { name: "a tensor twice", code: "HEADER_DUPLICATE_KEY", tensor: "b", bytes: container(`{${a},${b},${b}}`) },
  { name: "a tensor twice, once with an escape", code: "HEADER_DUPLICATE_KEY", tensor: "b", bytes: escapedTwice() },
  { name: "__proto__ twice", code: "HEADER_DUPLICATE_KEY", tensor: "__proto__", bytes: protoTwice() },
  { name: "a field twice", code: "HEADER_DUPLICATE_KEY", tensor: "b", bytes: withB(`"shape":[4],"shape":[4]`) },
  { name: "__metadata__ twice", code: "HEADER_DUPLICATE_KEY", bytes: container(`{${metadata},${metadata},${a},${b}}`) },
  { name: "a metadata key twice", code: "HEADER_DUPLICATE_KEY", bytes: withMetadata(`{"x":"1","x":"1"}`) },
  // Entries
  {
    name: "an entry that is null",
    code: "HEADER_ENTRY_INVALID",
    tensor: "c",
    bytes: container(`{${a},${b},"c":null}`),
  },
  {
    name: "an entry that is an array",
    code: "HEADER_ENTRY_INVALID",
    tensor: "c",
    bytes: container(`{${a},${b},"c":[]}`),
  },
  { name: "an entry without dtype", code: "HEADER_ENTRY_INVALID", tensor: "b", bytes: withB("", "dtype") },
  { name: "an entry without shape", code: "HEADER_ENTRY_INVALID", tensor: "b", bytes: withB("", "shape") },
  {
    name: "an entry without data_offsets",
    code: "HEADER_ENTRY_INVALID",
    tensor: "b",
    bytes: withB("", "data_offsets"),
  },
  { name: "a dtype that is a number", code: "HEADER_ENTRY_INVALID", tensor: "b", bytes: withB(`"dtype":8`) },
  { name: "a shape that is a number", code: "HEADER_ENTRY_INVALID", tensor: "b", bytes: withB(`"shape":4`) },
  { name: "a shape that is null", code: "HEADER_ENTRY_INVALID", tensor: "b", bytes: withB(`"shape":null`) },
  {
    name: "data_offsets that are an object",
    code: "HEADER_ENTRY_INVALID",
    tensor: "b",
    bytes: withB(`"data_offsets":{}`),
  },
  { name: "a field too many", code: "HEADER_ENTRY_INVALID", tensor: "b", bytes: withB(`"shape":[4],"strides":[1]`) },
  {
    name: "__proto__ as a field",
    code: "HEADER_ENTRY_INVALID",
    tensor: "b",
    bytes: withB(`"shape":[4],"__proto__":{}`),
  },
  // Metadata
  { name: "metadata that is an array", code: "METADATA_INVALID", bytes: withMetadata("[]") },
  { name: "metadata that is null", code: "METADATA_INVALID", bytes: withMetadata("null") },
  { name: "a metadata value that is a number", code: "METADATA_INVALID", bytes: withMetadata(`{"x":1}`) },
  { name: "a metadata value that is an object", code: "METADATA_INVALID", bytes: withMetadata(`{"x":{}}`) },
  // Types and shapes
  { name: "an unknown dtype", code: "UNKNOWN_DTYPE", tensor: "b", bytes: withB(`"dtype":"U4"`) },
  { name: "a dtype in small letters", code: "UNKNOWN_DTYPE", tensor: "b", bytes: withB(`"dtype":"u8"`) },
  { name: "a dtype that every object has", code: "UNKNOWN_DTYPE", tensor: "b", bytes: withB(`"dtype":"constructor"`) },
  { name: "a negative dimension", code: "TENSOR_SHAPE_INVALID", tensor: "b", bytes: withB(`"shape":[-4]`) },
  { name: "two negative dimensions", code: "TENSOR_SHAPE_INVALID", tensor: "b", bytes: withB(`"shape":[-2,-2]`) },
  { name: "a fractional dimension", code: "TENSOR_SHAPE_INVALID", tensor: "b", bytes: withB(`"shape":[0.5,8]`) },
  {
    name: "a dimension written as a fraction",
    code: "TENSOR_SHAPE_INVALID",
    tensor: "b",
    bytes: withB(`"shape":[4.0]`),
  },
  { name: "a dimension with an exponent", code: "TENSOR_SHAPE_INVALID", tensor: "b", bytes: withB(`"shape":[4e0]`) },
  {
    name: "a dimension that is infinite",
    code: "TENSOR_SHAPE_INVALID",
    tensor: "b",
    bytes: withB(`"shape":[4,1e999]`),
  },
  { name: "a dimension that is a string", code: "TENSOR_SHAPE_INVALID", tensor: "b", bytes: withB(`"shape":["4"]`) },
  { name: "a dimension that is an array", code: "TENSOR_SHAPE_INVALID", tensor: "b", bytes: withB(`"shape":[[4]]`) },
  {
    name: "a product of 2^64",
    code: "TENSOR_SHAPE_OVERFLOW",
    tensor: "b",
    bytes: withB(`"shape":[4294967296,4294967296]`),
  },
  {
    name: "a product of 2^66, which is 4 in 64 bits",
    code: "TENSOR_SHAPE_OVERFLOW",
    tensor: "b",
    bytes: wrapsToFour(),
  },
  {
    name: "a dimension above 2^53",
    code: "TENSOR_SHAPE_OVERFLOW",
    tensor: "b",
    bytes: withB(`"shape":[9007199254740993]`),
  },
  { name: "a size above 2^53 bytes", code: "TENSOR_SHAPE_OVERFLOW", tensor: "b", bytes: bytesOverflow() },
  // Offsets
  { name: "offsets that end before they begin", code: "OFFSETS_INVALID", tensor: "b", bytes: offsetsOfB("[20,16]") },
  { name: "a negative offset", code: "OFFSETS_INVALID", tensor: "b", bytes: offsetsOfB("[-4,0]") },
  { name: "a fractional offset", code: "OFFSETS_INVALID", tensor: "b", bytes: offsetsOfB("[16.0,20]") },
  { name: "offsets that are strings", code: "OFFSETS_INVALID", tensor: "b", bytes: offsetsOfB(`["16","20"]`) },
  { name: "one offset", code: "OFFSETS_INVALID", tensor: "b", bytes: offsetsOfB("[16]") },
  { name: "three offsets", code: "OFFSETS_INVALID", tensor: "b", bytes: offsetsOfB("[16,20,20]") },
  { name: "an offset above 2^53", code: "OFFSETS_INVALID", tensor: "b", bytes: offsetsOfB("[16,9007199254740993]") },
  {
    name: "a tensor that ends after the file",
    code: "OFFSETS_OUT_OF_RANGE",
    tensor: "b",
    bytes: container(`{${a},${b}}`, 19),
  },
  {
    name: "a tensor that starts after the file",
    code: "OFFSETS_OUT_OF_RANGE",
    tensor: "b",
    bytes: offsetsOfB("[96,100]"),
  },
  {
    name: "an empty tensor after the file",
    code: "OFFSETS_OUT_OF_RANGE",
    tensor: "b",
    bytes: container(`{${a},${emptyB(17)}}`, 16),
  },
  // Sizes and places
  { name: "more elements than bytes", code: "BYTE_COUNT_MISMATCH", tensor: "b", bytes: withB(`"shape":[5]`) },
  { name: "fewer elements than bytes", code: "BYTE_COUNT_MISMATCH", tensor: "b", bytes: withB(`"shape":[3]`) },
  {
    name: "a wider dtype than the bytes hold",
    code: "BYTE_COUNT_MISMATCH",
    tensor: "b",
    bytes: withB(`"dtype":"F16"`),
  },
  { name: "an empty shape with bytes", code: "BYTE_COUNT_MISMATCH", tensor: "b", bytes: withB(`"shape":[4,0]`) },
  { name: "half a byte", code: "BYTE_COUNT_MISMATCH", tensor: "b", bytes: withB(`"dtype":"F4","shape":[7]`) },
  {
    name: "two tensors in one place",
    code: "TENSORS_OVERLAP",
    tensor: "b",
    bytes: container(`{${a},${a.replace(/"a"/, '"b"')}}`, 16),
  },
  {
    name: "a tensor inside another",
    code: "TENSORS_OVERLAP",
    tensor: "b",
    bytes: container(`{${a},${movedB(8)}}`, 16),
  },
  {
    name: "tensors that overlap by a byte",
    code: "TENSORS_OVERLAP",
    tensor: "b",
    bytes: container(`{${a},${movedB(15)}}`, 19),
  },
  {
    name: "an empty tensor inside another",
    code: "TENSORS_OVERLAP",
    tensor: "b",
    bytes: container(`{${a},${emptyB(8)}}`, 16),
  },
  { name: "a hole between tensors", code: "TENSORS_GAP", tensor: "b", bytes: container(`{${a},${movedB(17)}}`, 21) },
  { name: "a hole before the first tensor", code: "TENSORS_GAP", tensor: "b", bytes: container(`{${movedB(4)}}`, 8) },
  { name: "a byte after the last tensor", code: "TENSORS_GAP", bytes: container(`{${a},${b}}`, 21) },
  { name: "data without tensors", code: "TENSORS_GAP", bytes: container(`{${metadata}}`, 1) },
];

function padded(json: Uint8Array): Uint8Array {
  const header = new Uint8Array(Math.ceil(json.length / 8) * 8).fill(0x20);
  header.set(json);
  return header;
}

/** The valid file, whose header claims to end `excess` bytes after the file. */
function lengthClaim(excess: number): Uint8Array {
  const file = validContainer.slice();
  new DataView(file.buffer).setBigUint64(0, BigInt(file.length - 8 + excess), true);
  return file;
}

/** Tensor b with the given fields in place of its own, or without the field `omitted`. */
function withB(fields: string, omitted = ""): Uint8Array {
  const own = [`"dtype":"U8"`, `"shape":[4]`, `"data_offsets":[16,20]`];
  const kept = own.filter(
    (field) => !fields.includes(field.slice(0, field.indexOf(":"))) && !field.startsWith(`"${omitted}"`),
  );
  return container(`{${a},"b":{${[...kept, fields].filter(Boolean).join(",")}}}`);
}

function renamedB(jsonName: string): Uint8Array {
  return container(`{${a},${b.replace(`"b"`, () => `"${jsonName}"`)}}`);
}

function offsetsOfB(offsets: string): Uint8Array {
  return withB(`"data_offsets":${offsets}`);
}

function movedB(begin: number): string {
  return b.replace("[16,20]", `[${begin},${begin + 4}]`);
}

function emptyB(at: number): string {
  return `"b":{"dtype":"U8","shape":[0],"data_offsets":[${at},${at}]}`;
}

function withMetadata(value: string): Uint8Array {
  return container(`{"__metadata__":${value},${a},${b}}`);
}

/** The bytes in place of the name of tensor b. */
function nameBytes(...bytes: readonly number[]): Uint8Array {
  const marker = "?".repeat(bytes.length);
  const file = renamedB(marker);
  file.set(bytes, file.indexOf(0x3f));
  return file;
}

function escapedTwice(): Uint8Array {
  return container(`{${a},${b},${b.replace(`"b"`, () => `"\\u0062"`)}}`);
}

function protoTwice(): Uint8Array {
  const proto = emptyB(20).replace(`"b"`, `"__proto__"`);
  return container(`{${a},${b},${proto},${proto}}`);
}

function wrapsToFour(): Uint8Array {
  return withB(`"shape":[4,4294967296,4294967296]`);
}

function bytesOverflow(): Uint8Array {
  return withB(`"dtype":"F64","shape":[9007199254740991]`);
}
