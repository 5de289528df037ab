/** Files that are printed from the code. `--check` writes nothing and fails when one of them is out of date. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Writes every file, path relative to the repository, or checks it. */
export function writeGenerated(files: Readonly<Record<string, string>>): void {
  const check = process.argv.includes("--check");
  for (const [path, text] of Object.entries(files)) {
    const file = join(root, path);
    if (!check) writeFileSync(file, text);
    else if (!existsSync(file) || readFileSync(file, "utf8") !== text) {
      console.error(`${path} is out of date: run \`pnpm generate\`.`);
      process.exitCode = 1;
    }
  }
}
