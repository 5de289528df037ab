/** The entry of `pnpm bench:browser`. */
import { runBrowserProgram } from "./program.js";

process.exitCode = await runBrowserProgram(process.argv.slice(2));
