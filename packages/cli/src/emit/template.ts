/** What a template is made for, and what all of them say. */
import type { CudaImage } from "./cuda-images.js";

export interface TemplateOptions {
  readonly image: CudaImage;
  /** Node's major, or a whole version. */
  readonly node: string;
}

export interface Template {
  /** Where its text usually goes. */
  readonly file: string;
  readonly description: string;
  text(options: TemplateOptions): string;
}

/** Node majors that are maintained and that halfbyte is tested with. */
export const nodeMajors = ["20", "22", "24"] as const;

/** CUDA versions that halfbyte ships a library for. */
export const shippedCuda = ["11.8", "12.4", "13.0"] as const;
