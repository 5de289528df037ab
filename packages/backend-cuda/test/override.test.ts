/** The variables that name one library: digits only, HALFBYTE_ before BNB_, never silently wrong. */
import { describe, expect, it } from "vitest";
import { libraryId } from "../src/library-name.js";
import { isRefused, overrideOf } from "../src/override.js";
import { nameOf } from "./libraries.js";

const installed = ["cuda118", "cuda124", "rocm72"].map(nameOf);

function asked(env: Record<string, string>, runtime: "cuda" | "rocm" = "cuda") {
  const { asks } = overrideOf(env, runtime, installed)!;
  return isRefused(asks) ? asks.code : libraryId(asks);
}

it.each([
  ["HALFBYTE_CUDA_VERSION", "124", "cuda124"],
  ["BNB_CUDA_VERSION", "118", "cuda118"],
  ["HALFBYTE_CUDA_VERSION", "132", "cuda132"],
] as const)("%s=%s → %s", (variable, value, id) => expect(asked({ [variable]: value })).toBe(id));

it.each([
  ["HALFBYTE_ROCM_VERSION", "72", "rocm72"],
  ["BNB_ROCM_VERSION", "713", "rocm713"],
] as const)("%s=%s → %s", (variable, value, id) => expect(asked({ [variable]: value }, "rocm")).toBe(id));

it.each(["", " ", "12", "12.4", "cuda124", "124 ", " 124", "12,4", "0x7c", "-124", "१२४", "latest", "1204"])(
  "%j is refused, and what is installed is named",
  (value) => {
    const { asks } = overrideOf({ HALFBYTE_CUDA_VERSION: value }, "cuda", installed)!;
    expect(asks).toMatchObject({
      code: "OVERRIDE_INVALID",
      message: expect.stringContaining("Installed: cuda118, cuda124."),
      remedy: expect.stringContaining("such as 118"),
    });
  },
);

describe("both variables", () => {
  it("HALFBYTE_ wins, and the other one is told", () => {
    const override = overrideOf({ BNB_CUDA_VERSION: "118", HALFBYTE_CUDA_VERSION: "124" }, "cuda", installed)!;
    expect(override).toMatchObject({ variable: "HALFBYTE_CUDA_VERSION", value: "124", ignored: "BNB_CUDA_VERSION" });
  });

  it("an empty one does not make room for the other", () => {
    expect(asked({ HALFBYTE_CUDA_VERSION: "", BNB_CUDA_VERSION: "124" })).toBe("OVERRIDE_INVALID");
  });
});

it("without a variable there is no override, and those of ROCm are no business of CUDA", () => {
  expect(overrideOf({}, "cuda", installed)).toBeUndefined();
  expect(overrideOf({ HALFBYTE_ROCM_VERSION: "72" }, "cuda", installed)).toBeUndefined();
});

it("a refusal does not need anything to be installed", () => {
  expect(overrideOf({ BNB_ROCM_VERSION: "x" }, "rocm", [])!.asks).toMatchObject({
    message: expect.stringContaining("such as 72. Installed: none."),
  });
});
