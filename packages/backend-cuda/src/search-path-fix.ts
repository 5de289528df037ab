/** Fixes of a libcuda that is found and is not the driver's: cuda-compat, and the stubs of a toolkit. */
import { installDriver } from "./driver-fix.js";
import { withoutFolders } from "./shell-command.js";
import type { Fix, Situation } from "./suggested-fix.js";

const hasCompat = (folder: string): boolean => /(^|\/)compat\/?$|cuda-compat/.test(folder);
const hasStubs = (folder: string): boolean => /(^|\/)stubs\/?$/.test(folder);

export const removeCompat: Fix = {
  remedy: "Remove cuda-compat from the image: only data-center GPUs support it.",
  command: "apt-get remove --yes 'cuda-compat-*' && ldconfig",
};

export function withoutCompat(situation: Situation): Fix | undefined {
  const command = withoutFolders("LD_LIBRARY_PATH", situation.env["LD_LIBRARY_PATH"] ?? "", hasCompat);
  return command === undefined
    ? undefined
    : {
        remedy: "Take the folder of cuda-compat out of LD_LIBRARY_PATH: its libcuda does not fit this driver.",
        command,
      };
}

export function afterUpdate({ facts }: Situation): Fix {
  if (facts.system.kind === "container")
    return {
      ...removeCompat,
      remedy: "Remove cuda-compat from the image: its libcuda is another than the host's driver.",
    };
  return { remedy: "The driver was updated while it ran: restart the machine.", command: "sudo reboot" };
}

export function withoutStubs(situation: Situation): Fix {
  const command = withoutFolders("LD_LIBRARY_PATH", situation.env["LD_LIBRARY_PATH"] ?? "", hasStubs);
  const remedy = "Take the toolkit's folder of stubs out of LD_LIBRARY_PATH: its libcuda is for linking only.";
  return command === undefined ? installDriver(situation) : { remedy, command };
}
