/** A whole WGSL text: its structs, variables and functions. */
import { expression, typeName } from "./parse-expression.js";
import { block, variable } from "./parse-statement.js";
import type {
  Attributes,
  Expression,
  FunctionSyntax,
  ModuleSyntax,
  Parameter,
  StructSyntax,
  TypeName,
  Variable,
} from "./syntax.js";
import { TokenStream } from "./token-stream.js";

export function parseModule(text: string): ModuleSyntax {
  const tokens = new TokenStream(text);
  const structs: StructSyntax[] = [];
  const aliases = new Map<string, TypeName>();
  const variables: Variable[] = [];
  const functions: FunctionSyntax[] = [];
  while (tokens.next.kind !== "end") {
    if (tokens.accept(";")) continue;
    const attributes = attributesOf(tokens);
    const { text: keyword } = tokens.next;
    if (keyword === "struct") structs.push(struct(tokens));
    else if (keyword === "fn") functions.push(functionOf(tokens, attributes));
    else if (tokens.accept("alias")) aliases.set(...alias(tokens));
    else if (/^(const|override|var)$/.test(keyword)) variables.push(variable(tokens, attributes));
    else if (/^(enable|requires|diagnostic|const_assert)$/.test(keyword))
      while (tokens.next.text !== ";") tokens.take();
    else tokens.fail("expected a declaration");
  }
  return { structs, aliases, variables, functions };
}

function attributesOf(tokens: TokenStream): Attributes {
  const attributes = new Map<string, readonly Expression[]>();
  while (tokens.accept("@")) {
    const name = tokens.name();
    attributes.set(name, tokens.accept("(") ? tokens.list(")", () => expression(tokens)) : []);
  }
  return attributes;
}

function parameter(tokens: TokenStream): Parameter {
  const attributes = attributesOf(tokens);
  const name = tokens.name();
  tokens.expect(":");
  return { name, type: typeName(tokens), attributes };
}

function struct(tokens: TokenStream): StructSyntax {
  tokens.expect("struct");
  const name = tokens.name();
  tokens.expect("{");
  return { name, members: tokens.list("}", () => parameter(tokens)) };
}

function alias(tokens: TokenStream): [string, TypeName] {
  const name = tokens.name();
  tokens.expect("=");
  return [name, typeName(tokens)];
}

function functionOf(tokens: TokenStream, attributes: Attributes): FunctionSyntax {
  tokens.expect("fn");
  const name = tokens.name();
  tokens.expect("(");
  const parameters = tokens.list(")", () => parameter(tokens));
  if (!tokens.accept("->")) return { name, parameters, result: undefined, body: block(tokens), attributes };
  attributesOf(tokens);
  return { name, parameters, result: typeName(tokens), body: block(tokens), attributes };
}
