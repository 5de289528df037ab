/** The worked cases of the selection algorithm, as they stand in its specification: libraries 118, 124 and 130, a GPU of 8.6. */
import { describe, expect, it } from "vitest";
import { selectLibrary } from "../src/select-library.js";
import { machine, shipped } from "./libraries.js";

// Literal. A case that fails is a defect of the selection, not of this table.
const workedCases = `
| host | driver | default choice | remark |
| --- | --- | --- | --- |
| 12.4 | 12.4 | cuda124 | exact |
| 12.1 | 12.2 (image says 12.4: the Docker case) | cuda124, degraded, warn | same-major higher minor; \`prefer:'driver'\` gives cuda118; the image's CUDA_VERSION plays no part and diagnostics say so |
| 12.9 | 13.0 | cuda124, note | same-major lower minor |
| 12 (ORT) | 12.0 (R525) | cuda124, degraded | the combination Ollama saw fail: only a passed known-answer probe keeps it, else cuda118 |
| 11.8 | 12.4 | cuda118 | exact |
| 11.2 (tfjs 4.22) | 11.4 (R470) | cuda118, degraded | 124/130 rejected: driver major |
| 13.1 | 13.1 | cuda130 | |
| none | 12.1 | cuda118 | highest library <= driver; clean, since nobody asks for 12.x |
| none | 11.0 | cuda118, degraded | |
| any | 10.2 | refuse | "driver too old: needs R450 or newer" |
| 12.8, GPU 12.0 (Blackwell) | 12.8 | cuda124 by PTX, degraded (first start slow) | 130 rejected: driver major; real fix: driver R580 -> cuda130 native |
| 12.8, GPU 6.1 (Pascal) | 12.8 | cuda124 native | 130 would be rejected: no code |
`;

const rows = workedCases
  .trim()
  .split("\n")
  .slice(2)
  .map(
    (line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()) as [string, string, string, string],
  );

const version = (cell: string): string | undefined => /^\d+(\.\d+)?/.exec(cell)?.[0];

function factsOf(host: string, driver: string) {
  const asked = version(host);
  const gpu = /GPU (\d+\.\d)/.exec(host)?.[1] ?? "8.6";
  return machine({ driver: version(driver)!, gpus: [gpu], ...(asked === undefined ? {} : { host: asked }) });
}

describe("worked cases", () => {
  it.each(rows)("host %s, driver %s: %s", (host, driver, choice) => {
    const { candidates, usable, problem } = selectLibrary(shipped, factsOf(host, driver));
    if (choice === "refuse") {
      expect(usable).toEqual([]);
      expect(problem!.code).toBe("CUDA_DRIVER_TOO_OLD");
      return;
    }
    const [chosen] = candidates;
    expect(chosen!.library).toBe(/^cuda\d+/.exec(choice)![0]);
    expect(chosen!.degraded).toBe(choice.includes("degraded"));
    expect(chosen!.code === "PTX_JIT").toBe(choice.includes("by PTX"));
    if (choice === "cuda124" && host === driver) expect(chosen!.verdict).toBe("exact");
  });

  it("speaks of every row", () => expect(rows).toHaveLength(12));

  it("takes nothing newer than the driver when that is preferred", () => {
    const { candidates } = selectLibrary(shipped, factsOf("12.1", "12.2"), { prefer: "driver" });
    expect(candidates[0]).toMatchObject({ library: "cuda118", degraded: false });
  });

  it("names the driver that the oldest library needs", () => {
    const { candidates } = selectLibrary(shipped, factsOf("any", "10.2"));
    expect(candidates.map(({ library, reason }) => [library, reason])).toEqual([
      ["cuda130", expect.stringContaining("R580")],
      ["cuda124", expect.stringContaining("R525")],
      ["cuda118", expect.stringContaining("R450")],
    ]);
    expect(selectLibrary(shipped, factsOf("any", "10.2")).problem!.message).toContain("R450");
  });

  it("rejects the libraries of a newer major, and those without code for the GPU", () => {
    const blackwell = selectLibrary(shipped, factsOf("12.8, GPU 12.0", "12.8")).candidates;
    expect(blackwell.at(-1)).toMatchObject({ library: "cuda130", code: "CUDA_DRIVER_TOO_OLD" });
    const pascal = selectLibrary(shipped, factsOf("12.8, GPU 6.1", "13.0")).candidates;
    expect(pascal[0]).toMatchObject({ library: "cuda124", degraded: false });
    expect(pascal.at(-1)).toMatchObject({ library: "cuda130", code: "CUDA_NO_CODE_FOR_GPU" });
  });
});
