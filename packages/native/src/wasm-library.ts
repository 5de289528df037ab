/**
 * The functions of halfbyte.h in a WebAssembly module. Its memory is not the host's: arguments that the header calls host memory are copied into a
 * place that the module keeps for them. Addresses have 32 bits.
 */
import type { IdentityFunctions, NativeStep, Pointer, Status } from "./functions.js";
import { type Signature, signatures, stepFields } from "./signatures.js";

/** What may stand for an argument of a function. */
type Argument = number | bigint | null | ArrayBufferView | NativeStep;
type Call = (...args: readonly Argument[]) => unknown;

/** The functions of halfbyte_wasm.h. */
const wasmSignatures: Readonly<Record<string, Signature>> = {
  hb_host_memory: ["void *", []],
  hb_queue_step: ["int32_t", ["void *", "double"]],
  hb_queue_hold: ["int32_t", ["void *"]],
  hb_queue_pass: ["void", ["void *"]],
  hb_queue_recover: ["int32_t", ["void *"]],
};

export type FunctionName = keyof typeof signatures | keyof typeof wasmSignatures;

/** A call that ended in a trap. */
export class WasmTrap extends Error {}

export class WasmLibrary {
  readonly identity: IdentityFunctions;
  readonly #memory: WebAssembly.Memory;
  readonly #stack: WebAssembly.Global<"i32">;
  readonly #stackTop: number;
  readonly #calls: Readonly<Record<string, Call>>;
  readonly #host: number;

  /** Throws when a function is missing. */
  constructor(module: WebAssembly.Module) {
    const { exports } = new WebAssembly.Instance(module, {});
    const { memory, _initialize, __stack_pointer } = exports as Readonly<Record<string, unknown>>;
    this.#memory = memory as WebAssembly.Memory;
    this.#stack = __stack_pointer as WebAssembly.Global<"i32">;
    this.#stackTop = this.#stack.value;
    (_initialize as () => void)();
    const entries = Object.entries<Signature>({ ...signatures, ...wasmSignatures });
    this.#calls = Object.fromEntries(
      entries.map(([name, signature]) => [name, this.#bind(name, exports[name], signature)]),
    );
    this.#host = Number(this.call("hb_host_memory"));
    this.identity = {
      hb_abi_version: () => Number(this.call("hb_abi_version")),
      hb_build_info: () => String(this.call("hb_build_info")),
    };
  }

  /** Throws WasmTrap when the module stops in the middle. */
  call(name: FunctionName, ...args: readonly Argument[]): unknown {
    return this.#calls[name]!(...args);
  }

  /** What a call that trapped has come to: ok when an entry of the queue failed, else the status of the call. */
  recover(queue: Pointer | null): Status {
    this.#stack.value = this.#stackTop;
    return Number(this.call("hb_queue_recover", queue));
  }

  /** Until the memory grows, which every call may do. */
  bytes(pointer: Pointer | number, byteLength: number): Uint8Array {
    return new Uint8Array(this.#memory.buffer, Number(pointer), byteLength);
  }

  /** Calls with a pointer to a pointer in place of the last argument; what was written there. */
  created(name: FunctionName, ...args: readonly Argument[]): { readonly result: Status; readonly pointer: Pointer } {
    const result = Number(this.call(name, ...args, this.#host));
    return { result, pointer: BigInt(this.#view().getUint32(0, true)) };
  }

  #view(): DataView {
    return new DataView(this.#memory.buffer, this.#host);
  }

  #bind(name: string, exported: unknown, [result, parameters]: Signature): Call {
    if (typeof exported !== "function") throw new Error(`the module has no function ${name}`);
    const call = exported as (...args: readonly unknown[]) => unknown;
    const inward = parameters.map((type) => this.#inward(type));
    const outward = this.#outward(result);
    return (...args) => {
      const given = inward.map((convert, i) => convert(args[i]!));
      try {
        return outward(call(...given));
      } catch (thrown) {
        if (thrown instanceof WebAssembly.RuntimeError) throw new WasmTrap(`${name}: ${thrown.message}`);
        throw thrown;
      }
    };
  }

  /** From an argument to what the engine takes for its C type. */
  #inward(type: string): (value: Argument) => number | bigint {
    if (type === "uint64_t") return (value) => BigInt(value as number | bigint);
    if (type === "hb_step *") return (value) => this.#copyStep(value as NativeStep);
    if (!type.endsWith("*")) return Number;
    return (value) => (ArrayBuffer.isView(value) ? this.#copyIn(value) : Number(value));
  }

  #outward(type: string): (value: unknown) => unknown {
    if (type === "const char *") return (value) => this.#text(Number(value));
    if (type !== "void *") return (value) => value;
    return (value) => (value === 0 ? null : BigInt(Number(value) >>> 0));
  }

  #copyIn({ buffer, byteOffset, byteLength }: ArrayBufferView): number {
    this.bytes(this.#host, byteLength).set(new Uint8Array(buffer, byteOffset, byteLength));
    return this.#host;
  }

  #copyStep(step: NativeStep): number {
    const view = this.#view();
    let offset = 0;
    for (const [name, type] of Object.entries(stepFields)) {
      const value = step[name as keyof NativeStep];
      if (type === "double") view.setFloat64(offset, value, true);
      else if (type === "int64_t") view.setBigInt64(offset, BigInt(value), true);
      else view.setInt32(offset, value, true);
      offset += 8;
    }
    return this.#host;
  }

  #text(start: number): string {
    const all = new Uint8Array(this.#memory.buffer);
    return new TextDecoder().decode(all.subarray(start, all.indexOf(0, start)));
  }
}
