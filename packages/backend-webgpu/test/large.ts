/** Opening the backend for tests of large tensors: the decoders are enough, and soon compiled. */
import { type Backend, openBackend } from "@halfbyte/core";
import { expect } from "vitest";
import { type WebgpuOptions, webgpu } from "../src/index.js";

export async function openFew(options: WebgpuOptions = {}): Promise<Backend> {
  const operations = ["dequantize4bit", "dequantizeBlockwise"] as const;
  const backend = await openBackend([webgpu({ operations, ...options })], { order: ["webgpu"] });
  expect(backend.report.chosen, JSON.stringify(backend.report)).toBe("webgpu");
  return backend;
}
