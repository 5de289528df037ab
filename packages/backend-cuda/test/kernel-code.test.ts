/** The static checks of kernels, on what cuobjdump printed of real libraries and of kernels that are wrong on purpose. */
import { describe, expect, it } from "vitest";
import { instructionProblems, kernelRows, kernelTable, memoryProblems } from "../scripts/check-kernels.mjs";
import { kernelOf, parseInstructions, parseResources } from "../scripts/kernel-code.mjs";
import { expectations, instructions } from "../scripts/kernel-expectations.mjs";

const bytes = "_ZN2hb10dequantizeINS_8Bfloat16ENS_5BytesEEEvNS_14DequantizeTaskIT_EE";
const nibbles = "_ZN2hb10dequantizeINS_7Float32ENS_7NibblesEEEvNS_14DequantizeTaskIT_EE";

const resources = `
Fatbin elf code:
================
arch = sm_80
code version = [1,7]
host = linux
compile_size = 64bit
compressed

Resource usage:
 Common:
  GLOBAL:0 CONSTANT[3]:24
 Function ${bytes}:
  REG:32 STACK:0 SHARED:1024 LOCAL:0 CONSTANT[2]:8 CONSTANT[0]:416 TEXTURE:0 SURFACE:0 SAMPLER:0
 Function ${nibbles}:
  REG:30 STACK:0 SHARED:64 LOCAL:0 CONSTANT[0]:416 TEXTURE:0 SURFACE:0 SAMPLER:0

Fatbin ptx code:
================
arch = sm_90
code version = [8,4]
host = linux
compile_size = 64bit
compressed

Fatbin elf code:
================
arch = sm_61
code version = [1,7]

Resource usage:
 Common:
  GLOBAL:0
 Function ${bytes}:
  REG:34 STACK:48 SHARED:1024 LOCAL:16 CONSTANT[0]:384 TEXTURE:0 SURFACE:0 SAMPLER:0
`;

const sass = `
Fatbin elf code:
================
arch = sm_90
code version = [1,8]

	code for sm_90
		Function : ${bytes}
	.headerflags	@"EF_CUDA_TEXMODE_UNIFIED EF_CUDA_64BIT_ADDRESS EF_CUDA_SM90"
        /*0000*/                   LDC R1, c[0x0][0x28] ;                                /* 0x00000a00ff017b82 */
                                                                                         /* 0x000fe20000000800 */
        /*00e0*/                   LDG.E R2, desc[UR6][R2.64] ;                          /* 0x0000000602027981 */
        /*0130*/              @!P0 BRA 0xd0 ;                                            /* 0xfffffffc00e48947 */
        /*25d0*/                   FADD R4, R4, UR14 ;                                   /* 0x0000000e04047e21 */
        /*25e0*/                   FADD R9, R9, UR14 ;                                   /* 0x0000000e09097e21 */
        /*26b0*/              @!P0 STG.E.128 desc[UR6][R16.64], R8 ;                     /* 0x0000000810008986 */
		.......................................

		Function : ${nibbles}
        /*10010*/             @UP1 UIADD3 UR4, UR4, 0x1, URZ ;                           /* 0x0000000104041890 */
        /*10020*/                  STG.E desc[UR6][R16.64], R8 ;                         /* 0x0000000810008986 */
`;

describe("what cuobjdump prints", () => {
  it("gives registers and memory of each kernel on each architecture", () => {
    expect(parseResources(resources)).toEqual([
      { architecture: "80", symbol: bytes, registers: 32, stack: 0, shared: 1024, local: 0 },
      { architecture: "80", symbol: nibbles, registers: 30, stack: 0, shared: 64, local: 0 },
      { architecture: "61", symbol: bytes, registers: 34, stack: 48, shared: 1024, local: 16 },
    ]);
  });

  it("gives the instructions of each kernel, with and without a condition", () => {
    const found = parseInstructions(sass).map(({ symbol, counts }) => ({ symbol, counts: Object.fromEntries(counts) }));
    expect(found).toEqual([
      { symbol: bytes, counts: { LDC: 1, "LDG.E": 1, BRA: 1, FADD: 2, "STG.E.128": 1 } },
      { symbol: nibbles, counts: { UIADD3: 1, "STG.E": 1 } },
    ]);
  });

  it("names kernels by symbols", () => {
    const cases = {
      [bytes]: "dequantize",
      _ZN2hb12_GLOBAL__N_116quantize_groupedINS_7Float32ENS_8Encoder4EEEvNS_12QuantizeTaskIT_T0_EEm: "quantize_grouped",
      _ZN2hb7absmax2EPKfm: "absmax2",
      _Z4scanPfm: "scan",
      plain: "plain",
    };
    for (const [symbol, kernel] of Object.entries(cases)) expect(kernelOf(symbol)).toBe(kernel);
  });
});

describe("what is said of kernels", () => {
  it("values that lie in memory", () => {
    expect(memoryProblems(parseResources(resources))).toEqual([`${bytes} keeps 64 bytes in memory on sm_61`]);
  });

  it("an instruction that one instance lacks, and a kernel that is not there", () => {
    const wide = { kernel: "dequantize", needs: "16-byte stores" };
    const problems = (...expected: Parameters<typeof instructionProblems>[2] & object[]) =>
      instructionProblems("90", parseInstructions(sass), expected);
    expect(problems(wide)).toEqual([`sm_90: ${nibbles} has no 16-byte stores`]);
    expect(problems({ ...wide, instances: /Bytes/ })).toEqual([]);
    expect(problems({ ...wide, from: 100 })).toEqual([]);
    expect(problems({ ...wide, kernel: "absent" })).toEqual(["sm_90: there is no kernel absent"]);
    expect(problems({ ...wide, instances: /Float64/ })).toEqual([
      "sm_90: there is no kernel dequantize like /Float64/",
    ]);
  });

  it("ranges over instances, by capability", () => {
    const rows = kernelRows(parseResources(resources));
    const registers = { "6.1": [34, 34], "8.0": [30, 32] };
    expect(rows).toEqual([{ kernel: "dequantize", instances: 2, shared: [64, 1024], registers }]);
    expect(kernelTable(rows)[0]).toMatch(/dequantize +2 instances +30–34 registers +64–1024 B shared/);
  });
});

describe("the table of expectations", () => {
  it("names instructions that it describes", () => {
    for (const { needs } of expectations) expect(Object.keys(instructions)).toContain(needs);
  });

  it.each([
    [
      "16-byte loads",
      ["LDG.E.128", "LDG.E.128.SYS", "LDG.E.128.CONSTANT", "LDG.E.EF.128"],
      ["LDG.E.64", "LDG.E", "STG.E.128"],
    ],
    ["16-byte stores", ["STG.E.128", "STG.E.128.SYS", "STG.E.EF.128"], ["STG.E", "LDG.E.128"]],
    ["tensor-core products of floats", ["HMMA.16816.F32.BF16", "HMMA.1688.F32"], ["HFMA2", "IMMA.16832.S8.S8"]],
    ["tensor-core products of bytes", ["IMMA.16832.S8.S8", "IMMA.8816.S8.S8"], ["IMAD", "HMMA.16816.F32"]],
    ["copies to shared memory that nobody waits for", ["LDGSTS.E.BYPASS.128"], ["LDG.E.128"]],
    ["fragments loaded as matrices", ["LDSM.16.M88.4"], ["LDS.128"]],
    ["products of four bytes", ["IDP.4A.S8.S8"], ["IMAD"]],
  ])("%s", (needs, found, others) => {
    for (const name of found) expect(name).toMatch(instructions[needs]!);
    for (const name of others) expect(name).not.toMatch(instructions[needs]!);
  });
});
