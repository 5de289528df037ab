/** A WGSL text as JavaScript that makes its functions callable. */
import { parseModule } from "./parse-module.js";
import { freshName, Scope } from "./scope.js";
import type { Attributes, Expression, FunctionSyntax, ModuleSyntax, TypeName, Variable } from "./syntax.js";
import { argument, read, translate, typeOf, zero } from "./translate-expression.js";
import { barriers, declaration, statement } from "./translate-statement.js";
import { isComposite, type Type } from "./types.js";

/** The body of a function of the runtime, `float` (its arithmetic), `constants` (values of overrides), `buffers` (by binding) and `workgroup`. */
export function translateModule(text: string): string {
  const syntax = parseModule(text);
  const scope = new Scope();
  const resolve = (type: TypeName): Type => typeOf(type, scope) ?? fail(`${type.name} is no type`);
  for (const { name, members } of syntax.structs) {
    const resolved = members.map((member) => ({ name: member.name, type: resolve(member.type) }));
    scope.declareType(name, { kind: "struct", name, members: resolved });
  }
  for (const [name, type] of syntax.aliases) scope.declareType(name, resolve(type));
  const variables = syntax.variables.map((variable) => moduleVariable(variable, scope));
  const waiting = waitingFunctions(syntax);
  for (const one of syntax.functions) scope.declareFunction(one, resolve, waiting.has(one.name));
  const functions = syntax.functions.map((one) => functionOf(one, scope));
  return [...variables, ...functions, interfaceOf(syntax, scope)].join("\n");
}

const fail = (why: string): never => {
  throw new Error(why);
};

function moduleVariable(variable: Variable, scope: Scope): string {
  const { keyword, name, space } = variable;
  if (keyword === "const") return declaration(variable, scope);
  if (keyword === "override") return override(variable, scope);
  const type = typeOf(variable.type!, scope)!;
  if (space[0] === "workgroup") return workgroupVariable(name, type, scope);
  if (space[0] !== "storage" && space[0] !== "uniform") throw new Error(`var<${space[0]}> ${name} is not known`);
  const buffer = freshName(name);
  scope.declare(name, { code: buffer, type, place: "changing", address: { buffer, write: "0", read: "0" } });
  return `const ${buffer} = buffers[${bindingOf(variable)}];`;
}

function override({ name, type, value }: Variable, scope: Scope): string {
  const own = type ? typeOf(type, scope)! : translate(value!, scope).type;
  const code = freshName(name);
  scope.declare(name, { code, type: own, place: "fixed" });
  const fallback = value ? argument(translate(value, scope), own) : `missing("${name}")`;
  const given = own.kind === "scalar" && own.name === "bool" ? `constants.${name} !== 0` : `constants.${name}`;
  return `const ${code} = constants.${name} === undefined ? ${fallback} : ${given};`;
}

/** Zero again at the beginning of every workgroup. */
function workgroupVariable(name: string, type: Type, scope: Scope): string {
  const code = freshName(name);
  scope.declare(name, { code, type, place: "changing" });
  const zeroed = zero(type);
  return `let ${code}; workgroup.push(() => { ${code} = ${isComposite(type) ? `(${zeroed})` : zeroed}; });`;
}

function functionOf({ name, parameters, body }: FunctionSyntax, outer: Scope): string {
  const { code, parameters: types, waits, result } = outer.functionNamed(name)!;
  const scope = new Scope(outer);
  const names = parameters.map((parameter, i) => {
    const own = freshName(parameter.name);
    scope.declare(parameter.name, { code: own, type: types[i]!, place: "fixed" });
    return own;
  });
  return `function${waits ? "*" : ""} ${code}(${names.join(", ")}) ${statement(body, { scope, result })}`;
}

/** What a function calls, told by name: enough to know who reaches a barrier. */
function waitingFunctions({ functions }: ModuleSyntax): ReadonlySet<string> {
  const texts = functions.map(({ name, body }) => ({ name, text: JSON.stringify(body) }));
  const waiting = new Set<string>(barriers);
  for (let before = -1; before !== waiting.size; ) {
    before = waiting.size;
    for (const { name, text } of texts)
      if ([...waiting].some((other) => text.includes(`"callee":{"name":"${other}"`))) waiting.add(name);
  }
  return waiting;
}

/** The functions by name; of entry points, the size of a workgroup and where the arguments come from. */
function interfaceOf({ functions }: ModuleSyntax, scope: Scope): string {
  const callable = functions.map(({ name }) => `${JSON.stringify(name)}: ${scope.functionNamed(name)!.code}`);
  const entries = functions.filter(({ attributes }) => attributes.has("compute")).map((one) => entryOf(one, scope));
  return `return { functions: { ${callable.join(", ")} }, entries: { ${entries.join(", ")} } };`;
}

function entryOf({ name, parameters, attributes }: FunctionSyntax, scope: Scope): string {
  const size = attributes.get("workgroup_size")!.map((dimension) => read(translate(dimension, scope)).code);
  const { waits } = scope.functionNamed(name)!;
  const builtins = parameters.map((parameter) => nameIn(parameter.attributes.get("builtin")![0]!));
  return `${JSON.stringify(name)}: { size: [${size.join(", ")}], waits: ${waits}, builtins: ${JSON.stringify(builtins)} }`;
}

const nameIn = (expression: Expression): string =>
  expression.kind === "name" ? expression.name : fail("a name is wanted");

const numberIn = (attributes: Attributes, name: string): number => {
  const expression = attributes.get(name)?.[0];
  return expression?.kind === "literal" ? Number(expression.value) : fail(`@${name} is not a number`);
};

const bindingOf = ({ attributes }: Variable): number => numberIn(attributes, "binding");
