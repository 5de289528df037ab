/** What names mean while a text is translated. */
import type { Expression, FunctionSyntax, TypeName } from "./syntax.js";
import { nothing, type Type } from "./types.js";

/** An expression as JavaScript. */
export interface Value {
  readonly code: string;
  readonly type: Type;
  /** Something in memory, and whether it may change: then reading it copies. */
  readonly place?: "fixed" | "changing";
  readonly address?: Address;
}

/** In a buffer, as JavaScript: its name, the offset in bytes where it is written, and where it is read. */
export interface Address {
  readonly buffer: string;
  readonly write: string;
  readonly read: string;
}

export interface Signature {
  readonly code: string;
  readonly parameters: readonly Type[];
  readonly result: Type;
  /** Whether it, or what it calls, waits at a barrier. */
  readonly waits: boolean;
}

/** Unique through a whole text: JavaScript's scopes differ from WGSL's. */
let count = 0;
export const freshName = (name: string): string => `${name}_${++count}`;

export class Scope {
  readonly #values = new Map<string, Value>();
  readonly #types: Map<string, Type>;
  readonly #functions: Map<string, Signature>;

  constructor(readonly outer?: Scope) {
    this.#types = outer ? outer.#types : new Map();
    this.#functions = outer ? outer.#functions : new Map();
  }

  value(name: string): Value {
    const value = this.#values.get(name) ?? this.outer?.value(name);
    if (value) return value;
    throw new Error(`${name} is not declared`);
  }

  declare(name: string, value: Value): void {
    this.#values.set(name, value);
  }

  type(name: string): Type | undefined {
    return this.#types.get(name);
  }

  declareType(name: string, type: Type): void {
    this.#types.set(name, type);
  }

  functionNamed(name: string): Signature | undefined {
    return this.#functions.get(name);
  }

  declareFunction(
    { name, parameters, result }: FunctionSyntax,
    resolve: (type: TypeName) => Type,
    waits: boolean,
  ): void {
    this.#functions.set(name, {
      code: freshName(name),
      parameters: parameters.map(({ type }) => resolve(type)),
      result: result ? resolve(result) : nothing,
      waits,
    });
  }
}

export const isExpression = (part: TypeName | Expression): part is Expression => "kind" in part;
