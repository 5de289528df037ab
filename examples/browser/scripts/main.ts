/** `pnpm example:browser [--port <n>]` serves the page and prints its URL; `--build <folder>` writes it for a server of your own. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildPage } from "./build.js";
import { serve } from "./serve.js";

const { values } = parseArgs({ options: { build: { type: "string" }, port: { type: "string", default: "0" } } });

if (values.build === undefined) await show(Number(values.port));
else await write(resolve(process.env["INIT_CWD"] ?? process.cwd(), values.build));

async function write(folder: string): Promise<void> {
  await buildPage(folder);
  console.log(`wrote ${folder}; serve it over https, or on localhost`);
}

async function show(port: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "halfbyte-example-"));
  await buildPage(folder);
  const { url, close } = await serve(folder, port);
  console.log(`${url}  (Ctrl-C ends it)`);
  process.once("SIGINT", async () => {
    close();
    await rm(folder, { recursive: true, force: true });
    process.exit();
  });
}
