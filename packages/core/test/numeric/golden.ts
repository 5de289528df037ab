/** The repository's golden vectors, by case id. */
import { readFile } from "node:fs/promises";
import { bytesSource, openSafetensors } from "@halfbyte/core";

interface GoldenCase {
  readonly id: string;
  readonly op: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly outputs: Readonly<Record<string, string>>;
}

export interface Golden {
  readonly cases: readonly GoldenCase[];
  bytes(tensor: string): Promise<Uint8Array>;
}

const folder = new URL("../../../../golden/", import.meta.url);

export async function openGolden(name: string): Promise<Golden> {
  const { cases } = JSON.parse(await readFile(new URL(`${name}.json`, folder), "utf8")) as Pick<Golden, "cases">;
  const tensors = Uint8Array.from(await readFile(new URL(`${name}.safetensors`, folder)));
  const file = await openSafetensors(bytesSource(tensors, name));
  return { cases, bytes: (tensor) => file.read(tensor) };
}
