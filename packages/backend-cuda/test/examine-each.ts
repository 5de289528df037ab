/** Examines this machine once for each set of variables that it is given, and prints the results: a program for driver.test.ts. */
import { examine } from "../src/examine.js";
import { nodeWorld } from "../src/node-world.js";

interface Request {
  readonly sets: readonly Readonly<Record<string, string>>[];
  readonly limitMs: number;
}

const { sets, limitMs } = JSON.parse(process.argv[2]!) as Request;
const results: unknown[] = [];
for (const variables of sets) {
  const before = { ...process.env };
  // Native code sees them too, here and in the processes that are started.
  Object.assign(process.env, variables);
  results.push(await examine(nodeWorld(), { depth: "full", limitMs }));
  for (const name of Object.keys(variables)) if (before[name] === undefined) delete process.env[name];
}
process.stdout.write(JSON.stringify(results));
