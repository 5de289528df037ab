// How long it takes to examine the machine for CUDA: `node examine.mjs quick|full` prints one JSON object of milliseconds. It runs the
// package as it is published, in a process of its own.
import { examine, nodeWorld } from "@halfbyte/backend-cuda";

const depth = process.argv[2] === "full" ? "full" : "quick";
const start = performance.now();
const { sources, facts } = await examine(nodeWorld(), { depth });
const examined = performance.now() - start;
console.log(JSON.stringify({ examined, driver: facts.driver, sources }));
