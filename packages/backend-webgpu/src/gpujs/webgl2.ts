/** A WebGL2 context that kernels can run in. */
import { halfbyteError } from "@halfbyte/core";

export interface WebGl2 {
  readonly canvas: OffscreenCanvas | HTMLCanvasElement;
  readonly context: WebGL2RenderingContext;
}

/** Undefined where the host has no WebGL2, or none that renders to float32 textures. */
export function createWebGl2(): WebGl2 | undefined {
  for (const create of canvases) {
    const canvas = create();
    const context = canvas && contextOf(canvas);
    if (context) return { canvas, context };
  }
  return undefined;
}

const canvases: readonly (() => OffscreenCanvas | HTMLCanvasElement | undefined)[] = [
  () => (typeof OffscreenCanvas === "undefined" ? undefined : new OffscreenCanvas(1, 1)),
  () => (typeof document === "undefined" ? undefined : document.createElement("canvas")),
];

function contextOf(canvas: OffscreenCanvas | HTMLCanvasElement): WebGL2RenderingContext | undefined {
  const settings = { alpha: false, depth: false, antialias: false };
  const context = canvas.getContext("webgl2", settings) as WebGL2RenderingContext | null;
  if (!context || context.getExtension("EXT_color_buffer_float")) return context ?? undefined;
  loseContext(context);
  return undefined;
}

/** Browsers have few contexts at a time: one that is not needed is given back at once, not when it is collected. */
export const loseContext = (context: WebGL2RenderingContext): void =>
  context.getExtension("WEBGL_lose_context")?.loseContext();

export function rendererOf(context: WebGL2RenderingContext): string {
  const unmasked = context.getExtension("WEBGL_debug_renderer_info");
  return String(context.getParameter(unmasked ? unmasked.UNMASKED_RENDERER_WEBGL : context.RENDERER));
}

export const expectContext = (context: WebGL2RenderingContext): void => {
  if (context.isContextLost()) throw halfbyteError("DEVICE_LOST", "The WebGL2 context was lost.");
};
