/** AddressSanitizer and UndefinedBehaviorSanitizer for the emulated device: g++, whose runtime libraries can be loaded into a running Node. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { isAbsolute } from "node:path";
import { noEmulation } from "./emulated.js";

export const compiler = "g++";

const ask = (...args: readonly string[]): string =>
  spawnSync(compiler, args, { encoding: "utf8" }).stdout?.trim() ?? "";

const addressRuntime = ask("-print-file-name=libasan.so");

export const noSanitizers: string | undefined = noEmulation ?? obstacle();

/** Of a library that it does not have, g++ gives the name alone. */
function obstacle(): string | undefined {
  if (ask("-dumpversion") === "") return "no g++ found";
  return isAbsolute(addressRuntime) && existsSync(addressRuntime) ? undefined : "g++ comes without libasan";
}

export const sanitizerFlags: readonly string[] = [
  "-fsanitize=address,undefined",
  "-fno-sanitize-recover=undefined",
  "-fno-omit-frame-pointer",
  "-g1",
];

/** Of a library that koffi calls: it does so on a stack of its own, of which AddressSanitizer knows nothing when an exception passes. */
export const sanitizedLibraryFlags: readonly string[] = [...sanitizerFlags, "--param=asan-stack=0"];

/** What a Node that loads such a library needs. Leaks are counted by the backend's own tests. */
export const sanitizedEnvironment = (library: string): NodeJS.ProcessEnv => ({
  ...process.env,
  HALFBYTE_EMULATED_LIBRARY: library,
  LD_PRELOAD: addressRuntime,
  ASAN_OPTIONS: "detect_leaks=0",
  UBSAN_OPTIONS: "print_stacktrace=1",
});
