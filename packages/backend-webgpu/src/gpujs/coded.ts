/** Codes with their table and scales, as kernels take them: tile by tile. */
import { getFormat, type QuantizedTensor, type Tensor } from "@halfbyte/core";
import type { Engine } from "./engine.js";
import { unshifts4bit } from "./kernels/decode.js";
import type { Argument, Resident } from "./kernels/kernel.js";
import { type HostStorage, hostStorageOf } from "./storage.js";

export interface Coded {
  readonly bits: 4 | 8;
  readonly blockSize: number;
  readonly codes: HostStorage;
  readonly absmax: HostStorage;
  /** Where it is kept, and its entries, which are there when the queue reaches them. */
  readonly table: { readonly home: HostStorage; readonly name: string; entries(): Float32Array };
}

export const coded4bit = ({ blockSize, codes, code, scales, format }: QuantizedTensor): Coded => ({
  bits: 4,
  blockSize,
  codes: hostStorageOf(codes),
  absmax: hostStorageOf(scales.absmax as Tensor),
  table: code
    ? storedTable(code)
    : { home: hostStorageOf(codes), name: "table", entries: () => getFormat(format).code },
});

export function storedTable(code: Tensor<"float32">): Coded["table"] {
  const [home, { size }] = [hostStorageOf(code), code];
  return { home, name: `table of ${size}`, entries: () => home.floats("float32", 0, size) };
}

/** Elements [begin, end) as the first six arguments of a decoding kernel. They stay on the device with the weight. */
export async function tileOf(engine: Engine, coded: Coded, begin: number, end: number): Promise<Argument[]> {
  const { codes, absmax, blockSize, bits } = coded;
  const perWord = 16 / bits;
  const [firstWord, lastWord] = [Math.floor(begin / perWord), Math.ceil(end / perWord)];
  const [firstBlock, lastBlock] = [Math.floor(begin / blockSize), Math.ceil(end / blockSize)];
  const words = () => engine.resident(codes.words(firstWord, lastWord));
  const scales = () => engine.resident(absmax.floats("float32", firstBlock, lastBlock));
  return [
    await codes.resident(`words ${firstWord} ${lastWord}`, words),
    await absmax.resident(`scales ${firstBlock} ${lastBlock}`, scales),
    await tableOf(engine, coded),
    begin % perWord,
    begin % blockSize,
    1 / blockSize,
  ];
}

function tableOf(engine: Engine, { table, bits }: Coded): Promise<Resident> {
  const entries = () => (bits === 4 ? [...table.entries(), ...unshifts4bit] : table.entries());
  return table.home.resident(table.name, () => engine.resident(Float32Array.from(entries())));
}
