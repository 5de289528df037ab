/** What an ELF file needs: made ones, the real one of this process, and everything that only looks like one. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { elfDependencies } from "../src/elf-needed.js";
import { nodeWorld } from "../src/node-world.js";
import { elfFile } from "./worlds/elf-file.js";
import { recordedWorld } from "./worlds/index.js";

const read = (bytes: Uint8Array) => elfDependencies(recordedWorld({ files: { "/lib": bytes } }), "/lib");

describe("the dependencies of an ELF file", () => {
  const file = elfFile({
    needed: ["libcublasLt.so.12", "libcudart.so.12", "libc.so.6"],
    soname: "libx.so",
    machine: 183,
  });

  it("are those it lists", async () => {
    const needed = ["libcublasLt.so.12", "libcudart.so.12", "libc.so.6"];
    expect(await read(file)).toEqual({ needed, soname: "libx.so", rpath: [], runpath: [], machine: 183 });
    expect(await read(elfFile({ needed: [] }))).toEqual({ needed: [], rpath: [], runpath: [], machine: 62 });
  });

  it("are read from a real program", async ({ skip }) => {
    if (process.platform !== "linux") skip("ELF is the format of Linux");
    if (readFileSync(process.execPath).readUInt8(4) !== 2) skip("this Node is a 32-bit program");
    expect((await elfDependencies(nodeWorld(), process.execPath)).needed).toContain("libc.so.6");
  });

  it("cannot be read from a file that was cut off", async () => {
    for (let length = 0; length < file.length - 1; length++) {
      const said = await read(file.slice(0, length)).catch((thrown: Error) => thrown);
      if (said instanceof Error) expect(said.message).toMatch(/\/lib (is no|has)/);
      // Cut off behind the table of names: then a name is not there.
      else expect(said.needed.length).toBeLessThanOrEqual(3);
    }
  });

  it.each([
    ["a text", "#!/bin/sh\n".repeat(20)],
    ["nothing", ""],
    ["a 32-bit file", `\x7fELF\x01\x01${"\0".repeat(80)}`],
    ["a big-endian file", `\x7fELF\x02\x02${"\0".repeat(80)}`],
  ])("cannot be read from %s", async (_what, text) => {
    await expect(read(Buffer.from(text, "latin1"))).rejects.toThrow("/lib is no");
  });

  it("of damaged files are something or an error, soon", async () => {
    const damage = fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(damage, async (changes) => {
        const damaged = Uint8Array.from(file);
        for (const [at, value] of changes) damaged[at] = value;
        const said = await read(damaged).catch((thrown: unknown) => thrown);
        if (!(said instanceof Error)) expect(said).toHaveProperty("needed");
      }),
      { numRuns: 300 },
    );
  });
});
