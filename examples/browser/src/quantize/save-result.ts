/** Taking a result home: into a file or folder that the user picks, complete or not at all, else as a download. */
import { type ErrorCode, halfbyteError, messageOf } from "@halfbyte/core";
import type { ResultFile } from "./quantize-calls.js";

/** Of the File System Access API, which not every browser has. */
interface Pickers {
  showSaveFilePicker?(options: { suggestedName: string }): Promise<FileSystemFileHandle>;
  showDirectoryPicker?(options: { mode: "readwrite" }): Promise<FileSystemDirectoryHandle>;
}

const pickers = (): Pickers => globalThis as Pickers;

export const canPickFile = (): boolean => pickers().showSaveFilePicker !== undefined;
export const canPickFolder = (): boolean => pickers().showDirectoryPicker !== undefined;

/** False when the user thought better of it. */
export async function saveToFile({ name, file }: ResultFile): Promise<boolean> {
  const handle = await picked(() => pickers().showSaveFilePicker!({ suggestedName: name }));
  if (handle) await write(handle, file);
  return handle !== undefined;
}

/** A file of that name in the folder is replaced; others stay. */
export async function saveToFolder(files: readonly ResultFile[]): Promise<boolean> {
  const folder = await picked(() => pickers().showDirectoryPicker!({ mode: "readwrite" }));
  if (!folder) return false;
  for (const { name, file } of files) await write(await folder.getFileHandle(name, { create: true }), file);
  return true;
}

/** The browser tells nobody what became of it. */
export function download({ name, file }: ResultFile): undefined {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  // The browser has begun to read by then; what it reads stays valid.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

async function picked<T>(pick: () => Promise<T>): Promise<T | undefined> {
  try {
    return await pick();
  } catch (thrown) {
    if (thrown instanceof DOMException && thrown.name === "AbortError") return undefined;
    throw failed(thrown);
  }
}

/** What is written takes the file's place when all of it is there; a failure on the way leaves the file as it was. */
async function write(handle: FileSystemFileHandle, file: Blob): Promise<void> {
  try {
    await file.stream().pipeTo(await handle.createWritable());
  } catch (thrown) {
    throw failed(thrown);
  }
}

const codes: Readonly<Record<string, ErrorCode>> = {
  NotAllowedError: "DESTINATION_NOT_WRITABLE",
  SecurityError: "DESTINATION_NOT_WRITABLE",
  QuotaExceededError: "DESTINATION_FULL",
};

const failed = (cause: unknown) =>
  halfbyteError(
    codes[(cause as { name?: string }).name ?? ""] ?? "WRITE_FAILED",
    `Cannot save the result: ${messageOf(cause)}`,
    {
      cause,
    },
  );
