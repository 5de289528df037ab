/** What a command works on: a folder, a single safetensors file, or a URL. */
import { stat } from "node:fs/promises";
import { isAbsolute, resolve } from "node:path";
import { type Checkpoint, halfbyteError, httpRepository, openCheckpoint, type Repository } from "@halfbyte/core";
import { fileRepository, folderRepository } from "@halfbyte/core/node";

/** Relative paths mean the folder where the user typed the command, also below `pnpm exec` and `npm run`. */
export const fromUser = (path: string): string =>
  isAbsolute(path) ? path : resolve(process.env["INIT_CWD"] ?? process.cwd(), path);

const isUrl = (text: string): boolean => /^https?:\/\//.test(text);

/** Whether the input is one file. Throws INPUT_NOT_FOUND. */
export async function isSingleFile(input: string): Promise<boolean> {
  if (isUrl(input)) return false;
  try {
    return (await stat(fromUser(input))).isFile();
  } catch (cause) {
    throw halfbyteError("INPUT_NOT_FOUND", `${input} does not exist.`, { cause, details: { file: input } });
  }
}

export async function openInput(input: string): Promise<Repository> {
  if (isUrl(input)) return httpRepository(input);
  return (await isSingleFile(input)) ? fileRepository(fromUser(input)) : folderRepository(fromUser(input));
}

/** Opens a checkpoint for one use and closes it. */
export async function withCheckpoint<T>(input: string, use: (checkpoint: Checkpoint) => Promise<T>): Promise<T> {
  const checkpoint = await openCheckpoint(await openInput(input));
  try {
    return await use(checkpoint);
  } finally {
    await checkpoint.close();
  }
}
