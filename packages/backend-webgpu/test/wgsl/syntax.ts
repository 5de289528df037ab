/** What the parser makes of a WGSL text. */

/** A type as it is written: `vec4<u32>`, `array<u32, 15>`, `Params`. */
export interface TypeName {
  readonly name: string;
  readonly parameters: readonly (TypeName | Expression)[];
}

export type Literal = "bool" | "abstract-int" | "abstract-float" | "i32" | "u32" | "f32" | "f16";

export type Expression =
  | { readonly kind: "literal"; readonly value: number | boolean; readonly type: Literal }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "unary"; readonly operator: string; readonly operand: Expression }
  | { readonly kind: "binary"; readonly operator: string; readonly left: Expression; readonly right: Expression }
  | { readonly kind: "call"; readonly callee: TypeName; readonly args: readonly Expression[] }
  | { readonly kind: "index"; readonly of: Expression; readonly index: Expression }
  | { readonly kind: "member"; readonly of: Expression; readonly name: string };

export interface Variable {
  readonly keyword: "let" | "const" | "var" | "override";
  readonly name: string;
  readonly type: TypeName | undefined;
  readonly value: Expression | undefined;
  /** Of a `var`: storage, read_write; workgroup; uniform. */
  readonly space: readonly string[];
  readonly attributes: Attributes;
}

export type Attributes = ReadonlyMap<string, readonly Expression[]>;

export type Statement =
  | { readonly kind: "block"; readonly body: readonly Statement[] }
  | { readonly kind: "variable"; readonly variable: Variable }
  | {
      readonly kind: "assign";
      readonly target: Expression | undefined;
      readonly operator: string;
      readonly value: Expression;
    }
  | { readonly kind: "call"; readonly call: Expression }
  | {
      readonly kind: "if";
      readonly condition: Expression;
      readonly then: Statement;
      readonly otherwise: Statement | undefined;
    }
  | {
      readonly kind: "for";
      readonly first: Statement | undefined;
      readonly condition: Expression | undefined;
      readonly step: Statement | undefined;
      readonly body: Statement;
    }
  | { readonly kind: "while"; readonly condition: Expression; readonly body: Statement }
  | { readonly kind: "switch"; readonly on: Expression; readonly cases: readonly Case[] }
  | { readonly kind: "break" | "continue" }
  | { readonly kind: "return"; readonly value: Expression | undefined };

export interface Case {
  /** Undefined: the default. */
  readonly selectors: readonly (Expression | undefined)[];
  readonly body: Statement;
}

export interface Parameter {
  readonly name: string;
  readonly type: TypeName;
  readonly attributes: Attributes;
}

export interface FunctionSyntax {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly result: TypeName | undefined;
  readonly body: Statement;
  readonly attributes: Attributes;
}

export interface StructSyntax {
  readonly name: string;
  readonly members: readonly Parameter[];
}

export interface ModuleSyntax {
  readonly structs: readonly StructSyntax[];
  readonly aliases: ReadonlyMap<string, TypeName>;
  readonly variables: readonly Variable[];
  readonly functions: readonly FunctionSyntax[];
}
