/** The WebAssembly tier: the kernels of the native library, on the calling thread, wherever JavaScript runs. */
import { type BackendProvider, type Detection, type Device, halfbyteError, type Reason } from "@halfbyte/core";
import { identify, NativeDevice, reasonOf, WasmLibrary, wasmFunctions } from "@halfbyte/native/wasm";
import type { OpenOptions } from "../options.js";
import { wasmFiles } from "../wasm-files.js";
import { type WasmIsa, whyNot } from "./engine.js";
import { compileModule } from "./module.js";

/** The largest block of memory/memory.cpp where addresses have 32 bits; all tensors together have less than 4 GiB. */
export const largestTensor = 7 * 2 ** 28;

export interface WasmTierOptions extends OpenOptions {
  readonly isa: WasmIsa;
  /** What is known without opening it. */
  readonly known?: Pick<Detection, "versions" | "devices" | "sources"> & { readonly reason?: Reason | undefined };
}

export function wasmTier({ isa, known, ...given }: WasmTierOptions): BackendProvider {
  return {
    name: "cpu",
    detect: async () => detect(isa, known),
    open: async (options) => open(isa, { ...given, ...options }),
  };
}

function detect(isa: WasmIsa, known: WasmTierOptions["known"]): Detection {
  const why = whyNot(isa);
  const reason = why === undefined ? known?.reason : notSupported(why);
  const library = wasmFiles[isa]().href;
  return {
    provider: "cpu",
    available: reason === undefined,
    ...(reason ? { reason } : {}),
    versions: known?.versions ?? {},
    sources: known?.sources ?? [],
    candidates: [
      reason
        ? {
            library,
            version: "unknown",
            verdict: "refused",
            code: reason.code,
            reason: reason.message,
            remedy: reason.remedy,
          }
        : { library, version: "unknown", verdict: "compatible", code: "FOUND", reason: "The engine can run it." },
    ],
    devices: known?.devices ?? [{ id: "cpu", name: isa, software: false }],
  };
}

function notSupported(message: string): Reason {
  const remedy = "Use a newer engine, or HALFBYTE_CPU_ISA=wasm, which needs less.";
  return { code: "NOT_AVAILABLE", message, remedy };
}

async function open(isa: WasmIsa, { wasm, memory = "fast" }: OpenOptions): Promise<Device> {
  const why = wasm === undefined ? whyNot(isa) : undefined;
  if (why !== undefined) throw halfbyteError("NOT_AVAILABLE", why, { remedy: notSupported(why).remedy });
  const library = instantiate(await compileModule(wasm ?? wasmFiles[isa]()));
  const build = identify("The WebAssembly module", "cpu", {
    version: library.identity.hb_abi_version(),
    info: library.identity.hb_build_info(),
  });
  if ("code" in build) throw halfbyteError(build.code as never, build.message, { remedy: build.remedy });
  return new NativeDevice(wasmFunctions(library), {
    name: "cpu",
    tier: build.isa,
    memory,
    maxTensorBytes: largestTensor,
    variantOf: (operation) => build.kernels[operation] ?? build.isa,
  });
}

function instantiate(module: WebAssembly.Module): WasmLibrary {
  try {
    return new WasmLibrary(module);
  } catch (thrown) {
    const { code, message, remedy } = reasonOf(
      "LIBRARY_WRONG_KIND",
      `The WebAssembly module is not ours: ${String(thrown)}.`,
    );
    throw halfbyteError(code as never, message, { remedy, cause: thrown });
  }
}
