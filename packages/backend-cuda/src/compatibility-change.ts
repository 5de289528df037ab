/** What can change while a process runs. `docs/monitor.md` lists these codes; they are stable. */
import type { LogLevel } from "@halfbyte/core";

interface ChangeKind {
  /** warn: what runs, or would be started now, may be worse off. */
  readonly level: Extract<LogLevel, "info" | "warn">;
  readonly meaning: string;
  readonly remedy: string;
}

const kind = (level: ChangeKind["level"], meaning: string, remedy: string): ChangeKind => ({ level, meaning, remedy });

const restart = "Restart the processes that use the GPU: those that run keep what they have loaded.";
const nothing = "Nothing to do.";

export const changeCatalogue = {
  DRIVER_CHANGED: kind("warn", "The NVIDIA driver is of another version.", restart),
  DRIVER_LOST: kind(
    "warn",
    "The driver worked and can no longer be used.",
    "See the reason in the message; `halfbyte doctor` shows every source.",
  ),
  DRIVER_FOUND: kind("info", "A driver that can be used has appeared.", "Restart the processes that fell to the CPU."),
  DRIVER_PROBLEM_CHANGED: kind("info", "The driver still cannot be used, for another reason.", "See the message."),
  LOADED_FILE_REPLACED: kind(
    "warn",
    "A driver, framework or halfbyte library that this process has loaded was replaced or removed on disk.",
    "Restart this process: it runs the old file, and what it starts runs the new one.",
  ),
  GPU_ADDED: kind("info", "The driver sees a GPU more.", nothing),
  GPU_GONE: kind(
    "warn",
    "The driver no longer sees a GPU.",
    "Look at the kernel log (`dmesg | grep NVRM`); in a container, at what its host gives it.",
  ),
  GPU_LOST: kind(
    "warn",
    "A GPU is there and no longer answers.",
    "Look at the kernel log (`dmesg | grep NVRM`), reset the GPU (`nvidia-smi --gpu-reset`) or restart the machine.",
  ),
  GPU_RECOVERED: kind("info", "A GPU that was lost answers again.", "Restart the processes that used it."),
  FRAMEWORK_CHANGED: kind("warn", "A framework of the application, or its CUDA version, has changed.", restart),
  FRAMEWORK_ADDED: kind("info", "The application has a framework with a CUDA of its own.", nothing),
  FRAMEWORK_REMOVED: kind("info", "The application no longer has the framework.", nothing),
  LIBRARY_ADDED: kind("info", "A library of halfbyte was installed.", nothing),
  LIBRARY_REMOVED: kind(
    "warn",
    "A library of halfbyte is gone.",
    "Install its package again, or build it: `halfbyte libs build <version>`.",
  ),
  LIBRARY_REPLACED: kind("warn", "A library of halfbyte is another file than before.", restart),
  LIBRARY_REFUSED: kind(
    "warn",
    "A library of halfbyte must no longer be loaded.",
    "See the reason in the message; `halfbyte libs verify` checks all of them.",
  ),
  LIBRARY_ACCEPTED: kind("info", "A library that had to be refused may be loaded again.", nothing),
  SELECTION_CHANGED: kind("warn", "A process started now gets another library.", restart),
  SELECTION_LOST: kind("warn", "A process started now gets no CUDA library.", "`halfbyte doctor` says what to do."),
  SELECTION_FOUND: kind(
    "info",
    "A process started now gets a CUDA library; before, it got none.",
    "Restart the processes that fell to the CPU.",
  ),
  SELECTION_DEGRADED: kind(
    "warn",
    "The chosen library is the same, and now runs degraded.",
    "`halfbyte doctor` says why, and what would be better.",
  ),
  SELECTION_IMPROVED: kind("info", "The chosen library is the same, and no longer degraded.", nothing),
  SELECTION_PROBLEM_CHANGED: kind(
    "info",
    "There is still no library to choose, for another reason.",
    "See the message.",
  ),
} as const satisfies Record<string, ChangeKind>;

export type ChangeCode = keyof typeof changeCatalogue;

export interface CompatibilityChange {
  readonly code: ChangeCode;
  readonly level: ChangeKind["level"];
  /** One sentence with what was and what is. */
  readonly message: string;
  readonly remedy: string;
  /** What it is about: driver, selection, or the name of a library, framework or GPU. */
  readonly subject: string;
  readonly before?: string;
  readonly after?: string;
}

export function changeOf(
  code: ChangeCode,
  subject: string,
  message: string,
  { before, after }: { readonly before?: string; readonly after?: string } = {},
): CompatibilityChange {
  const { level, remedy } = changeCatalogue[code];
  const values = { ...(before !== undefined && { before }), ...(after !== undefined && { after }) };
  return { code, level, message, remedy, subject, ...values };
}
