import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { errorCatalogue } from "../error-catalogue.js";
import { type ErrorCode, type HalfbyteError, isHalfbyteError } from "../errors.js";
import { hostileContainers, validContainer } from "./hostile-files.js";
import { openSafetensors } from "./safetensors.js";
import { bytesSource } from "./source.js";

const codes = Object.keys(errorCatalogue).filter((code): code is ErrorCode => code in errorCatalogue);
const containerCodes = codes.slice(codes.indexOf("HEADER_TRUNCATED"), codes.indexOf("TENSORS_GAP") + 1);

async function refusalOf(bytes: Uint8Array): Promise<HalfbyteError | undefined> {
  try {
    await openSafetensors(bytesSource(bytes, "hostile.safetensors"));
    return undefined;
  } catch (error) {
    if (isHalfbyteError(error)) return error;
    throw error;
  }
}

describe("hostile containers", () => {
  it("start from a file that opens", async () => {
    expect(await refusalOf(validContainer)).toBeUndefined();
  });

  it("have distinct names and use every code of the container", () => {
    expect(new Set(hostileContainers.map(({ name }) => name)).size).toBe(hostileContainers.length);
    expect(containerCodes.filter((code) => !hostileContainers.some((file) => file.code === code))).toEqual([]);
  });

  it.each(hostileContainers)("$code: $name", async ({ code, tensor, bytes }) => {
    const error = await refusalOf(bytes);
    expect(error?.code).toBe(code);
    expect(error?.message).toContain(tensor === undefined ? "" : JSON.stringify(tensor));
    expect(error?.details["tensor"]).toBe(tensor ?? error?.details["tensor"]);
    expect(error?.message.length).toBeLessThan(1000);
    expect(error?.remedy).toMatch(/\w/);
  });

  it("leave their source closed", async () => {
    const close = vi.fn(async () => undefined);
    const source = { ...bytesSource(validContainer.slice(0, 50)), close };
    await expect(openSafetensors(source)).rejects.toMatchObject({ code: "HEADER_TRUNCATED" });
    expect(close).toHaveBeenCalledOnce();
  });

  it("are never met with anything but a code of the container, whatever bytes are changed", async () => {
    const edit = fc.record({ at: fc.nat(validContainer.length - 1), byte: fc.nat(255) });
    const edits = fc.array(edit, { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(edits, fc.nat(validContainer.length), async (changes, length) => {
        const bytes = validContainer.slice(0, length < 40 ? length : validContainer.length);
        for (const { at, byte } of changes) if (at < bytes.length) bytes[at] = byte;
        const error = await refusalOf(bytes);
        expect([undefined, ...containerCodes]).toContain(error?.code);
      }),
      { numRuns: 2000 },
    );
  });
});
