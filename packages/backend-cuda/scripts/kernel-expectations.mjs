/**
 * Instructions that a kernel must be made of, or it is not the kernel that was meant: a wide load that became eight narrow ones is correct and
 * slow, and only its machine code shows it. One line per kernel and instruction; a kernel that is named here must be in every library
 * that holds code for one of its architectures.
 */

/** What to look for in the names of instructions, by what it is for. */
export const instructions = {
  "16-byte loads": /^LDG\..*\b128\b/,
  "16-byte stores": /^STG\..*\b128\b/,
  "tensor-core products of floats": /^HMMA\./,
  "tensor-core products of bytes": /^IMMA\./,
  "copies to shared memory that nobody waits for": /^LDGSTS\./,
  "fragments loaded as matrices": /^LDSM\./,
  "products of four bytes": /^IDP\.4A\b/,
};

/**
 * `instances`: of the kernel's symbols only these; `from`: of the architectures only those from this one on.
 * @type {readonly import("./kernel-expectations.d.mts").Expectation[]}
 */
export const expectations = [
  { kernel: "quantize_grouped", needs: "16-byte loads" },
  { kernel: "quantize_rows", needs: "16-byte loads", instances: /Lj8E/ },
  { kernel: "dequantize_rows", needs: "16-byte stores", instances: /Lj8E/ },
  { kernel: "int8_few_rows", needs: "16-byte loads" },
  { kernel: "int8_few_rows", needs: "products of four bytes", from: 61 },
  { kernel: "int8_mma", needs: "tensor-core products of bytes", instances: /Lj128ELj128E/, from: 75 },
  { kernel: "int8_mma", needs: "fragments loaded as matrices", instances: /Lj128ELj128E/, from: 75 },
  { kernel: "int8_mma", needs: "tensor-core products of bytes", instances: /Li80ELi1000E/, from: 80 },
  {
    kernel: "int8_mma",
    needs: "copies to shared memory that nobody waits for",
    instances: /Lj128ELj128E|Li80ELi1000E/,
    from: 80,
  },
  { kernel: "scale_sums", needs: "16-byte loads" },
  { kernel: "dequantize", needs: "16-byte stores" },
  { kernel: "quantization_error", needs: "16-byte loads" },
  { kernel: "gemm_4bit_narrow", needs: "tensor-core products of floats", from: 75 },
  { kernel: "gemm_4bit_narrow", needs: "copies to shared memory that nobody waits for", from: 80 },
  { kernel: "gemm_4bit_tiled", needs: "tensor-core products of floats", from: 75 },
  { kernel: "gemm_4bit_tiled", needs: "copies to shared memory that nobody waits for", from: 80 },
  { kernel: "f32_rows", needs: "16-byte loads" },
  { kernel: "f32_tile", needs: "16-byte loads" },
  { kernel: "product_mma", needs: "tensor-core products of floats", instances: /Float16Mma/, from: 75 },
  { kernel: "product_mma", needs: "tensor-core products of floats", from: 80 },
  { kernel: "product_mma", needs: "fragments loaded as matrices", from: 80 },
  { kernel: "product_mma", needs: "copies to shared memory that nobody waits for", from: 80 },
  { kernel: "optimizer_32bit", needs: "16-byte loads" },
  { kernel: "optimizer_32bit", needs: "16-byte stores" },
  { kernel: "optimizer_8bit_grouped", needs: "16-byte loads" },
  { kernel: "optimizer_8bit_grouped", needs: "16-byte stores" },
];
