/** The loops of native/floors.cpp. Without a compiler there are none, and the reason is known. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { messageOf } from "@halfbyte/core";
import { type LibraryHandle, load } from "koffi";
import { type FloorKind, floorKinds } from "./kinds.js";

export const variants = 3;
/** Work comes in multiples of this. */
export const workUnit = 512;

export interface FloorRun {
  readonly kind: FloorKind;
  readonly variant: number;
  readonly threads: number;
  /** An address; null for arithmetic. */
  readonly memory: bigint | null;
  /** Bytes or multiply-adds. */
  readonly work: number;
  readonly windows: number;
  readonly first: number;
}

export interface FloorLibrary {
  readonly isa: string;
  readonly compiler: string;
  allocate(bytes: number): bigint;
  free(memory: bigint): void;
  /** Does nothing. */
  call(): void;
  /** Fills `times` with nanoseconds; returns the checksum of the last run. */
  run(job: FloorRun, times: Float64Array): bigint;
}

const extension = { win32: "dll", darwin: "dylib" }[process.platform as string] ?? "so";
const file = join(resolve(import.meta.dirname, "../.."), "build", `libhalfbyte_floors.${extension}`);

let opened: FloorLibrary | string | undefined;

/** The library, or why there is none. */
export function floorLibrary(): FloorLibrary | string {
  opened ??= open();
  return opened;
}

function open(): FloorLibrary | string {
  if (!existsSync(file)) return "the floor loops are not built (they need CMake and a C++ compiler)";
  try {
    return bind(load(file));
  } catch (thrown) {
    return `the floor loops cannot be loaded: ${messageOf(thrown)}`;
  }
}

function bind(library: LibraryHandle): FloorLibrary {
  const allocate = library.func("void *floors_allocate(uint64_t bytes)");
  const free = library.func("void floors_free(void *memory)");
  const run = library.func(
    "uint64_t floors_run(int kind, int variant, int threads, void *memory, uint64_t work, uint64_t windows, uint64_t first, int repetitions, void *nanoseconds)",
  );
  const call = library.func("void floors_nothing()");
  const { isa, compiler } = JSON.parse(library.func("const char *floors_info()")() as string) as Record<string, string>;
  return {
    isa: isa!,
    compiler: compiler!,
    allocate(bytes) {
      const memory = allocate(bytes) as bigint | null;
      if (memory === null) throw new RangeError(`${bytes} bytes cannot be allocated.`);
      return memory;
    },
    free: (memory) => free(memory),
    call: () => call(),
    run({ kind, variant, threads, memory, work, windows, first }, times) {
      const kindNumber = floorKinds.indexOf(kind);
      return BigInt(
        run(kindNumber, variant, threads, memory, work, windows, first, times.length, times) as number | bigint,
      );
    },
  };
}
