/** A WGSL text that runs on the host: translated to JavaScript, with an arithmetic of floats that the caller chooses. */
import { type FloatArithmetic, roundsToNearest } from "./float-arithmetic.js";
import { type HostBuffer, runtime } from "./runtime.js";
import { translateModule } from "./translate-module.js";

interface Entry {
  readonly size: readonly number[];
  /** Whether there are barriers: then it is a generator, which stops at each. */
  readonly waits: boolean;
  readonly builtins: readonly string[];
}

type Callable = (...args: unknown[]) => unknown;

export interface HostShaderOptions {
  readonly float?: FloatArithmetic;
  /** Values of `override`. */
  readonly constants?: Readonly<Record<string, number>>;
  /** By binding. */
  readonly buffers?: Readonly<Record<number, HostBuffer>>;
}

type Triple = readonly [number, number, number];

type Factory = (given: Given) => {
  functions: Readonly<Record<string, Callable>>;
  entries: Readonly<Record<string, Entry>>;
};
type Given = Required<HostShaderOptions> & { readonly workgroup: (() => void)[] };

/** JavaScript is made once for a text, so that it is compiled once. */
const factories = new Map<string, Factory>();

function factoryOf(text: string): Factory {
  const known = factories.get(text);
  if (known) return known;
  const given = "{ float, constants, buffers, workgroup }";
  const made: (tools: typeof runtime) => Factory = new Function(
    `{ ${Object.keys(runtime).join(", ")} }`,
    `return (${given}) => {\n${translateModule(text)}\n};`,
  ) as never;
  const factory = made(runtime);
  factories.set(text, factory);
  return factory;
}

export class HostShader {
  readonly #functions: Readonly<Record<string, Callable>>;
  readonly #entries: Readonly<Record<string, Entry>>;
  /** Each makes one variable of a workgroup zero. */
  readonly #workgroup: (() => void)[] = [];

  constructor(text: string, { float = roundsToNearest, constants = {}, buffers = {} }: HostShaderOptions = {}) {
    const { functions, entries } = factoryOf(text)({ float, constants, buffers, workgroup: this.#workgroup });
    this.#functions = functions;
    this.#entries = entries;
  }

  /** Calls a function of the text that reaches no barrier. */
  call(name: string, ...args: unknown[]): unknown {
    return this.#functions[name]!(...args);
  }

  /** Runs an entry point, one workgroup after the other. */
  dispatch(name: string, groups: Triple): void {
    for (const group of positions(groups)) this.#runGroup(name, group, groups);
  }

  #runGroup(name: string, group: Triple, groups: Triple): void {
    const { size, waits, builtins } = this.#entries[name]!;
    const whole: Triple = [size[0]!, size[1] ?? 1, size[2] ?? 1];
    for (const clear of this.#workgroup) clear();
    const started = positions(whole).map((local) =>
      this.#functions[name]!(
        ...builtins.map((builtin) => builtinValue(builtin, { group, groups, local, size: whole })),
      ),
    );
    if (waits) inStep(started as Generator[]);
  }
}

/** Every invocation up to its next barrier, then every one from there on. */
function inStep(invocations: readonly Generator[]): void {
  for (;;) {
    const ended = invocations.map((invocation) => invocation.next().done === true);
    if (ended.every(Boolean)) return;
    if (ended.some(Boolean)) throw new Error("some invocations of a workgroup passed a barrier and others did not");
  }
}

/** x first. */
function positions([width, height, depth]: Triple): Triple[] {
  return Array.from(
    { length: width * height * depth },
    (_, i): Triple => [i % width, Math.floor(i / width) % height, Math.floor(i / (width * height))],
  );
}

interface Invocation {
  readonly group: Triple;
  readonly groups: Triple;
  readonly local: Triple;
  readonly size: Triple;
}

function builtinValue(name: string, { group, groups, local, size }: Invocation): unknown {
  if (name === "workgroup_id") return [...group];
  if (name === "num_workgroups") return [...groups];
  if (name === "local_invocation_id") return [...local];
  if (name === "local_invocation_index") return local[0] + size[0] * (local[1] + size[1] * local[2]);
  if (name === "global_invocation_id") return local.map((at, i) => at + size[i]! * group[i]!);
  throw new Error(`@builtin(${name}) is not known`);
}
