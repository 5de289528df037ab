/** What the device says of memory that another library of the process owns, as errors. */
import { type HalfbyteError, halfbyteError } from "@halfbyte/core";
import { foundNumbers } from "./abi.js";
import type { Pointer } from "./functions.js";

export const showAddress = (address: Pointer): string => `0x${address.toString(16)}`;

const obstacles: Readonly<Record<number, string>> = {
  [foundNumbers.pinnedHost]: "pinned memory of the host",
  [foundNumbers.managed]: "managed memory, which moves between host and device",
  [foundNumbers.otherDevice]: "memory of another device",
  [foundNumbers.misaligned]: "not aligned to 16 bytes",
  [foundNumbers.tooLong]: "too short: its end lies in no memory of the device",
};

/** Throws INVALID_ARGUMENT unless the memory may be used as a tensor. */
export function expectUsable(found: number, address: Pointer, byteLength: number, device: string): void {
  if (found === foundNumbers.usable) return;
  const is = obstacles[found] ?? "no memory that the device knows";
  throw halfbyteError(
    "INVALID_ARGUMENT",
    `The ${byteLength} bytes at ${showAddress(address)} cannot be a tensor of ${device}: they are ${is}.`,
    {
      remedy: `Give memory that was allocated on ${device} and begins at a multiple of 16 bytes.`,
      details: { found: is, expected: device },
    },
  );
}

export const noForeignMemory = (device: string): HalfbyteError =>
  halfbyteError("INVALID_ARGUMENT", `The library of ${device} takes no memory of other libraries.`);
