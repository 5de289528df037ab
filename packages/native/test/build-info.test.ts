import { expect, it } from "vitest";
import { parseBuildInfo } from "../src/build-info.js";

it("keeps what it knows and fills what is missing", () => {
  expect(parseBuildInfo('{"backend":"cpu","isa":"avx2","isas":["scalar","avx2"],"kernels":{"gemm":"scalar"}}')).toEqual(
    {
      backend: "cpu",
      version: "unknown",
      compiler: "unknown",
      isas: ["scalar", "avx2"],
      isa: "avx2",
      kernels: { gemm: "scalar" },
    },
  );
});

it.each(["", "null", "[]", "3", '{"isa":"avx2"}', '{"backend":1}'])("refuses %j", (text) => {
  expect(parseBuildInfo(text)).toBeUndefined();
});

it("keeps what only some libraries say", () => {
  const text = JSON.stringify({ backend: "cuda", operations: ["quantize_4bit"], emulated: true });
  expect(parseBuildInfo(text)).toMatchObject({ operations: ["quantize_4bit"], emulated: true });
});
