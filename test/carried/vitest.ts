/** What the conformance suite uses of vitest: for a machine that has Node and nothing installed. scripts/carry.mjs puts it in vitest's place. */
import { isDeepStrictEqual } from "node:util";

type Body = () => unknown;

interface Group {
  readonly name: string;
  /** Registers what is in it; may wait for something first. */
  readonly collect: Body;
  readonly before: Body[];
  readonly after: Body[];
  readonly entries: (Group | Case)[];
}

interface Case {
  readonly name: string;
  readonly body: Body;
}

const newGroup = (name: string, collect: Body): Group => ({ name, collect, before: [], after: [], entries: [] });
const root = newGroup("", () => undefined);
let current = root;

export const describe = (name: string, body: Body): void => void current.entries.push(newGroup(name, body));
export const test = (name: string, body: Body): void => void current.entries.push({ name, body });
export const it = test;
export const beforeAll = (body: Body): void => void current.before.push(body);
/** For what is skipped, and nothing is. */
export const beforeEach = (_body: unknown): never => {
  throw new Error("nothing is skipped here");
};
export const afterAll = (body: Body): void => void current.after.push(body);

class Expectation {
  constructor(
    readonly found: unknown,
    readonly about = "",
  ) {}

  toBe = (expected: unknown): void => this.#check(Object.is(this.found, expected), expected);
  toEqual = (expected: unknown): void => this.#check(isDeepStrictEqual(this.found, expected), expected);
  toBeUndefined = (): void => this.toBe(undefined);
  toMatchObject = (expected: object): void => this.#check(matches(this.found, expected), expected);
  toBeGreaterThan = (bound: number): void => this.#check((this.found as number) > bound, bound);
  toBeLessThanOrEqual = (bound: number): void => this.#check((this.found as number) <= bound, bound);
  toBeCloseTo = (expected: number, digits = 2): void =>
    this.#check(Math.abs((this.found as number) - expected) < 10 ** -digits / 2, expected);

  #check(isGood: boolean, expected: unknown): void {
    if (isGood) return;
    throw new Error(`${this.about} found ${shown(this.found)}, expected ${shown(expected)}`);
  }
}

export const expect = (found: unknown, about?: string): Expectation => new Expectation(found, about);

/** Every property of `expected`, at any depth. */
function matches(found: unknown, expected: object): boolean {
  if (typeof found !== "object" || found === null) return false;
  return Object.entries(expected).every(([name, value]) => {
    const own: unknown = found[name as keyof typeof found];
    return typeof value === "object" && value !== null ? matches(own, value) : Object.is(own, value);
  });
}

const shown = (value: unknown): string =>
  JSON.stringify(value, (_, part) => (typeof part === "bigint" ? String(part) : part))?.slice(0, 400) ?? String(value);

export interface Outcome {
  readonly name: string;
  readonly failure?: string;
}

/** Everything that was registered, one after the other. A group that does not open fails each of its cases. */
export async function* outcomes(group = root, path = "", outer?: string): AsyncGenerator<Outcome, void, void> {
  const obstacle = (await collected(group)) ?? outer ?? (await failureOf(() => inTurn(group.before)));
  for (const entry of group.entries) {
    const name = path === "" ? entry.name : `${path} > ${entry.name}`;
    if ("entries" in entry) yield* outcomes(entry, name, obstacle);
    else yield { name, ...asFailure(obstacle ?? (await failureOf(entry.body))) };
  }
  if (obstacle !== undefined && group.entries.length === 0) yield { name: path, failure: obstacle };
  const closing = await failureOf(() => inTurn(group.after));
  if (closing !== undefined) yield { name: `${path} closes`, failure: closing };
}

/** One group after the other, so that what it registers while it waits is its own. */
function collected(group: Group): Promise<string | undefined> {
  current = group;
  return failureOf(group.collect);
}

async function inTurn(bodies: readonly Body[]): Promise<void> {
  for (const body of bodies) await body();
}

async function failureOf(body: Body): Promise<string | undefined> {
  try {
    await body();
    return undefined;
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
}

const asFailure = (failure: string | undefined): { failure?: string } => (failure === undefined ? {} : { failure });
