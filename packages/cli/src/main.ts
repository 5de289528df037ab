/** The entry of the `halfbyte` command. */
import { run } from "./program.js";

// A reader that has seen enough (`halfbyte inspect … | head`) is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

// The log has stderr to itself: stdout is for results, which may be read by a program.
console.debug = console.error;
console.info = console.error;

process.exitCode = await run(process.argv.slice(2));
