/** The libraries that products are measured beside: those of the CPU, or those of a GPU. */
import type { Candidate } from "../case.js";
import type { Matrix, OnnxOp } from "../onnx/linear.js";
import type { Weight4bit } from "../product.js";
import type { Dimensions, Spec } from "../spec.js";

/** Layers that share their numbers share this. */
export interface LayerKind {
  readonly weight: Weight4bit | Matrix;
  readonly dense: Float32Array;
}

/** What an ONNX runtime is to run. */
export interface StackWork {
  readonly op: OnnxOp;
  /** Each entry is a layer with memory of its own. */
  readonly layers: readonly LayerKind[];
  readonly inputs: ReadonlyMap<number, Float32Array>;
  /** What one measured unit is: a layer of a rotation, or the whole stack. */
  readonly unitsPerRun: number;
}

/** y [m, n] = x [m, k] · weight [n, k]ᵀ */
export interface DenseProduct {
  readonly shape: Dimensions;
  readonly x: Float32Array;
  readonly weight: Float32Array;
}

export interface PeerSet {
  /** onnxruntime's operators. */
  onnx(spec: Spec, work: StackWork): Candidate;
  /** Libraries that multiply with float32 weights only. */
  dense(product: DenseProduct): Candidate[];
}
