/** WGSL's types, and how their values lie in a buffer. */
import type { Literal } from "./syntax.js";

export type Scalar = Literal;

export type Type =
  | { readonly kind: "scalar"; readonly name: Scalar }
  | { readonly kind: "vector"; readonly of: Scalar; readonly size: number }
  /** `count` is JavaScript; undefined where the buffer decides. */
  | { readonly kind: "array"; readonly of: Type; readonly count: string | undefined }
  | { readonly kind: "struct"; readonly name: string; readonly members: readonly Member[] }
  | { readonly kind: "pointer"; readonly to: Type }
  | { readonly kind: "nothing" };

export interface Member {
  readonly name: string;
  readonly type: Type;
}

export const scalar = (name: Scalar): Type => ({ kind: "scalar", name });
export const nothing: Type = { kind: "nothing" };

export function nameOf(type: Type): string {
  if (type.kind === "scalar" || type.kind === "struct") return type.name;
  if (type.kind === "vector") return `vec${type.size}<${type.of}>`;
  if (type.kind === "array") return `array<${nameOf(type.of)}, ${type.count ?? ""}>`;
  return type.kind === "pointer" ? `ptr<${nameOf(type.to)}>` : "nothing";
}

/** The scalar of a scalar or a vector. */
export function scalarOf(type: Type): Scalar {
  if (type.kind === "scalar") return type.name;
  if (type.kind === "vector") return type.of;
  throw new Error(`${nameOf(type)} is no number`);
}

/** The same shape of another scalar. */
export const withScalar = (type: Type, of: Scalar): Type => (type.kind === "vector" ? { ...type, of } : scalar(of));

/** What a value of an abstract type becomes where nothing says otherwise. */
export function concrete(type: Type): Type {
  if (type.kind !== "scalar" && type.kind !== "vector") return type;
  const name = scalarOf(type);
  if (name === "abstract-int") return withScalar(type, "i32");
  return name === "abstract-float" ? withScalar(type, "f32") : type;
}

export const isComposite = ({ kind }: Type): boolean => kind === "vector" || kind === "array" || kind === "struct";

const roundUp = (bytes: number, alignment: number): number => Math.ceil(bytes / alignment) * alignment;

export function alignmentOf(type: Type): number {
  if (type.kind === "scalar") return 4;
  if (type.kind === "vector") return type.size === 2 ? 8 : 16;
  if (type.kind === "array") return alignmentOf(type.of);
  if (type.kind === "struct") return Math.max(...type.members.map(({ type: member }) => alignmentOf(member)));
  throw new Error(`${nameOf(type)} has no place in a buffer`);
}

/** Bytes from one element of an array to the next. */
export const strideOf = (element: Type): number => roundUp(sizeOf(element), alignmentOf(element));

export function sizeOf(type: Type): number {
  if (type.kind === "scalar") return 4;
  if (type.kind === "vector") return 4 * type.size;
  if (type.kind === "struct") return roundUp(offsetAfter(type.members), alignmentOf(type));
  if (type.kind === "array" && type.count !== undefined && /^\d+$/.test(type.count))
    return Number(type.count) * strideOf(type.of);
  throw new Error(`the size of ${nameOf(type)} is not known`);
}

/** Where a member of a struct begins. */
export function offsetOf(members: readonly Member[], name: string): number {
  const at = members.findIndex((member) => member.name === name);
  return roundUp(offsetAfter(members.slice(0, at)), alignmentOf(members[at]!.type));
}

const offsetAfter = (members: readonly Member[]): number =>
  members.reduce((end, { type }) => roundUp(end, alignmentOf(type)) + sizeOf(type), 0);
