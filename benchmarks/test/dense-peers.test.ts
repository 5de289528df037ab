import { isHalfbyteError } from "@halfbyte/core";
import { describe, expect, it } from "vitest";
import { gpuJsCandidate, plainCandidate, tfjsCandidate } from "../src/peers/dense.js";
import { normalValues } from "../src/product.js";

const shape = { m: 3, n: 20, k: 70 };
const product = { shape, x: normalValues(shape.m * shape.k, 1), weight: normalValues(shape.n * shape.k, 2) };

describe("dense peers", () => {
  it.for([tfjsCandidate(product), gpuJsCandidate(product), plainCandidate(product)])(
    "$name multiplies",
    async ({ prepare }, ctx) => {
      const peer = await prepare().catch((thrown: unknown) => {
        if (isHalfbyteError(thrown) && thrown.code === "PACKAGE_NOT_INSTALLED") return ctx.skip(thrown.message);
        throw thrown;
      });
      expect(peer.relativeError).toBeLessThan(1e-5);
      expect(peer.version).toMatch(/^v?\d+\./);
      const times = await peer.subject.sample(2, true);
      expect(Math.min(...times)).toBeGreaterThan(0);
      await peer.dispose();
    },
  );
});
