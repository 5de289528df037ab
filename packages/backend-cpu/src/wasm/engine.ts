/** What the JavaScript engine can run, asked by letting it look at modules of one instruction. */

// (func (result v128) (i8x16.popcnt (i8x16.splat (i32.const 0))))
const simd = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
];
// (func (result v128) (i8x16.relaxed_swizzle (i8x16.splat (i32.const 1)) (i8x16.splat (i32.const 2))))
const relaxedSimd = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15,
  253, 128, 2, 11,
];

export type WasmIsa = "wasm" | "wasm-relaxed";

const probes = { wasm: simd, "wasm-relaxed": relaxedSimd };
const features = { wasm: "128-bit SIMD", "wasm-relaxed": "relaxed SIMD" };

/** Why the engine cannot run a build of this instruction set; undefined when it can. */
export function whyNot(isa: WasmIsa): string | undefined {
  if (typeof WebAssembly !== "object") return "This JavaScript engine has no WebAssembly.";
  return WebAssembly.validate(Uint8Array.from(probes[isa]))
    ? undefined
    : `This JavaScript engine has no WebAssembly with ${features[isa]}.`;
}
