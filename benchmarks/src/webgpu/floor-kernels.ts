/** Loops in WGSL that read, write, copy or multiply, and nothing else; in three variants each. */
import type { FloorKind } from "../floors/kinds.js";

export type GpuFloorKind = Exclude<FloorKind, "dot-int16">;

export interface LoopVariant {
  readonly text: string;
  readonly workgroups: number;
  /** What one step of one invocation does: bytes, or multiply-adds. */
  readonly unit: number;
}

const lanes = 256;
export const mostInvocations = 4096 * lanes;

/** Of memory: which words an invocation takes at once, and how many workgroups share them. */
const memoryShapes = [
  { type: "vec4<u32>", bytes: 16, workgroups: 256 },
  { type: "vec4<u32>", bytes: 16, workgroups: 4096 },
  { type: "u32", bytes: 4, workgroups: 4096 },
] as const;

/** Of arithmetic: sums that do not wait for each other. */
const chains = [4, 8, 16] as const;
const arithmeticGroups = 512;

export function loopVariants(kind: GpuFloorKind): LoopVariant[] {
  if (kind === "fma-f32") return chains.map((count) => arithmetic("vec4<f32>", count, 4, "fma(a, one, one)"));
  if (kind === "dot-int8") return chains.map((count) => arithmetic("u32", count, 4, "u32(dot4I8Packed(a, one)) + one"));
  return memoryShapes.map(({ type, bytes, workgroups }) => ({
    text: loop(type, "", memorySteps[kind](type), kind === "read" ? "destination[id] = sum;" : ""),
    workgroups,
    unit: bytes,
  }));
}

const memorySteps: Readonly<Record<"read" | "write" | "copy", (type: string) => string>> = {
  read: () => "sum += source[i];",
  write: (type) => `destination[i] = ${type}(i);`,
  copy: () => "destination[i] = source[i];",
};

/**
 * `step` makes the next value of a chain from `a`. `one` comes from memory, so that no compiler knows it, and each chain begins with its
 * own number, so that none makes one of several.
 */
function arithmetic(type: string, count: number, multiplies: number, step: string): LoopVariant {
  const names = Array.from({ length: count }, (_, i) => `a${i}`);
  return {
    text: loop(
      type,
      `let one = source[0];${names.map((name, i) => `var ${name} = ${type}(${i});`).join("")}`,
      names.map((name) => `${name} = ${step.replaceAll(/\ba\b/g, name)};`).join(""),
      `destination[id] = ${names.join(" + ")};`,
      "step",
    ),
    workgroups: arithmeticGroups,
    unit: multiplies * count,
  };
}

/** Every invocation steps through `count` elements with the others, or `count` times alone. */
const loop = (type: string, before: string, body: string, after: string, mode: "share" | "step" = "share"): string => `
@group(0) @binding(0) var<storage, read> source: array<${type}>;
@group(0) @binding(1) var<storage, read_write> destination: array<${type}>;
override count: u32;
@compute @workgroup_size(${lanes})
fn main(@builtin(global_invocation_id) invocation: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let id = invocation.x;
  let all = groups.x * ${lanes}u;
  var sum = ${type}();
  ${before}
  for (var i = ${mode === "share" ? "id" : "0u"}; i < count; i += ${mode === "share" ? "all" : "1u"}) { ${body} }
  ${after}
}`;

export const invocationsOf = ({ workgroups }: LoopVariant): number => workgroups * lanes;
