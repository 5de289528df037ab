/** halfbyte.h over a WebAssembly module, for NativeDevice to use as it uses a native library. */
import type { Entry, NativeFunctions, Pointer } from "./functions.js";
import { functionSignatures } from "./signatures.js";
import type { WasmLibrary } from "./wasm-library.js";
import { WasmQueue } from "./wasm-queue.js";

export function wasmFunctions(library: WasmLibrary): NativeFunctions {
  const queues = new Map<Pointer, WasmQueue>();
  const queueOf = (pointer: Pointer): WasmQueue => queues.get(pointer)!;
  const special: Partial<NativeFunctions> = {
    hb_queue_create(device, threads, out) {
      const { result, pointer } = library.created("hb_queue_create", device, threads);
      out[0] = pointer;
      queues.set(pointer, new WasmQueue(library, pointer));
      return result;
    },
    hb_queue_destroy(queue) {
      library.call("hb_queue_destroy", queue);
      queues.delete(queue);
    },
    hb_queue_allow_inline: (queue, allowed) => queueOf(queue).allowInline(allowed),
    hb_queue_wait: Object.assign((queue: Pointer, entry: Entry) => queueOf(queue).wait(entry), {
      async: (queue: Pointer, entry: Entry, done: Parameters<WasmQueue["waitLater"]>[1]) =>
        queueOf(queue).waitLater(entry, done),
    }),
    hb_alloc: (queue, bytes, zeroed) => queueOf(queue).allocate(bytes, zeroed),
    hb_write: (queue, tensor, offset, host, _bytes, adopt) => queueOf(queue).write(tensor, offset, host, adopt !== 0),
    hb_read: (queue, tensor, offset, host) => queueOf(queue).read(tensor, offset, host),
  };
  const plain = Object.keys(functionSignatures).map((name) => [name, plainCall(library, name, queueOf)]);
  return { ...(Object.fromEntries(plain) as NativeFunctions), ...special };
}

const questions = ["hb_queue_last", "hb_queue_done", "hb_memory", "hb_pack_4bit_bytes", "hb_pack_int8_bytes"];

/** A call that asks something, or one that enqueues. */
function plainCall(library: WasmLibrary, name: string, queueOf: (pointer: Pointer) => WasmQueue) {
  if (questions.includes(name)) return (...args: never[]) => library.call(name, ...args);
  return (queue: Pointer, ...args: unknown[]) => queueOf(queue).enqueue(name, args);
}
