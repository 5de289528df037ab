/** Every number that CUDA is known to answer, and what it becomes. */
import { describe, expect, it } from "vitest";
import { cudaReason, driverOfNumber } from "../src/cuda-error.js";

const rows = [
  [2, "OUT_OF_MEMORY"],
  [34, "CUDA_STUB_DRIVER"],
  [35, "CUDA_DRIVER_TOO_OLD"],
  [36, "CUDA_DRIVER_TOO_OLD"],
  [46, "CUDA_DEVICE_BUSY"],
  [100, "CUDA_NO_DEVICE"],
  [101, "INVALID_ARGUMENT"],
  [200, "CUDA_KERNEL_IMAGE_INVALID"],
  [209, "CUDA_NO_CODE_FOR_GPU"],
  [214, "DEVICE_LOST"],
  [218, "CUDA_JIT_UNAVAILABLE"],
  [221, "CUDA_JIT_UNAVAILABLE"],
  [222, "CUDA_PTX_TOO_NEW"],
  [304, "CUDA_FAILED"],
  [700, "DEVICE_LOST"],
  [702, "DEVICE_LOST"],
  [716, "DEVICE_LOST"],
  [719, "DEVICE_LOST"],
  [802, "CUDA_NOT_READY"],
  [803, "CUDA_DRIVER_MISMATCH"],
  [804, "CUDA_FORWARD_COMPAT"],
  [805, "CUDA_FAILED"],
  [999, "CUDA_FAILED"],
  [12345, "CUDA_FAILED"],
  [-1, "CUDA_FAILED"],
] as const;

describe("a CUDA error", () => {
  it.each(rows)("%i is %s", (status, code) => {
    const reason = cudaReason({ status, call: "cuInit", driver: { major: 12, minor: 2 } });
    expect(reason).toMatchObject({ code, remedy: expect.stringMatching(/.../) });
    expect(reason.message).toContain(`cuInit failed with CUDA error ${status}`);
    expect(reason.message).toContain("12.2");
  });

  it("35 without a driver means that there is none", () => {
    expect(cudaReason({ status: 35, call: "cudaSetDevice", driver: "none" }).code).toBe("CUDA_NO_DRIVER");
    expect(cudaReason({ status: 35, call: "cudaSetDevice" }).code).toBe("CUDA_DRIVER_TOO_OLD");
  });
});

describe("the number that libcuda gives", () => {
  it.each([
    [0, "none"],
    [11000, { major: 11, minor: 0 }],
    [11080, { major: 11, minor: 8 }],
    [12040, { major: 12, minor: 4 }],
    [12100, { major: 12, minor: 10 }],
    [14000, { major: 14, minor: 0 }],
    [-12040, undefined],
    [999, undefined],
    [100_000, undefined],
    [2_147_483_647, undefined],
    [Number.NaN, undefined],
    [12_040.5, undefined],
  ] as const)("%d is %o", (number, version) => expect(driverOfNumber(number)).toEqual(version));
});
