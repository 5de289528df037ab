/**
 * The published packages as a user gets them: packed, then installed with npm into an empty folder outside the repository.
 * Test files run in processes of their own, so the first one that asks does the work and the others wait for it.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { inject } from "vitest";
import { type Captured, capture, npmScript } from "../scripts/run.mjs";
import { ensureBuilt, type Manifest, packAll } from "../scripts/workspace.mjs";

export interface InstalledPackages {
  /** Holds package.json and node_modules. */
  readonly folder: string;
  readonly packed: readonly { readonly name: string; readonly tarball: string }[];
}

/** Generous: a cold npm cache on a slow machine. */
export const installTimeout = 300_000;

export async function installedPackages(): Promise<InstalledPackages> {
  return JSON.parse(await once("installed", async () => JSON.stringify(await packAndInstall())));
}

/** `npx <args>` as a user would type it in a folder at or below the installed packages; nothing is downloaded. */
export function npx(cwd: string, ...args: string[]): Promise<Captured> {
  return capture([npmScript("npx"), "--no-install", ...args], { cwd, env: userEnvironment(cwd) });
}

/** `node <args>` there. */
export function node(cwd: string, ...args: string[]): Promise<Captured> {
  return capture(args, { cwd, env: userEnvironment(cwd) });
}

async function packAndInstall(): Promise<InstalledPackages> {
  await ensureBuilt();
  const folder = inject("sharedFolder");
  const packed = await packAll(folder);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "user", private: true }));
  const tarballs = packed.filter(({ manifest }) => fitsHere(manifest)).map(({ tarball }) => tarball);
  const install = [npmScript("npm"), "install", "--no-audit", "--no-fund", "--prefer-offline", ...tarballs];
  const { code, stdout, stderr } = await capture(install, { cwd: folder, env: userEnvironment(folder) });
  if (code !== 0) throw new Error(`npm install of the packed packages failed:\n${stdout}${stderr}`);
  return { folder, packed };
}

/** npm refuses to install a package of another platform that it is asked for by name. */
const fitsHere = ({ os, cpu }: Manifest): boolean =>
  (os ?? [process.platform]).includes(process.platform) && (cpu ?? [process.arch]).includes(process.arch);

/** What `npm test` and vitest put into the environment would lead the user's npm and CLI back to the repository. */
function userEnvironment(cwd: string): NodeJS.ProcessEnv {
  const ours =
    /^(npm_(package|lifecycle|config_local|command|execpath|node_execpath)|INIT_CWD|PNPM_|VITEST|NODE_ENV|NODE_OPTIONS|HALFBYTE_)/;
  const kept = Object.entries(process.env).filter(([name]) => !ours.test(name));
  return { ...Object.fromEntries(kept), INIT_CWD: cwd };
}

/** Runs `work` in the first process that asks, under a folder as lock; everyone gets its result, or its error. */
async function once(name: string, work: () => Promise<string>): Promise<string> {
  const path = join(inject("sharedFolder"), name);
  if (lock(`${path}.lock`)) await leaveResult(path, work);
  while (!existsSync(`${path}.done`)) await wait(100);
  if (existsSync(`${path}.error`)) throw new Error(readFileSync(`${path}.error`, "utf8"));
  return readFileSync(`${path}.result`, "utf8");
}

async function leaveResult(path: string, work: () => Promise<string>): Promise<void> {
  try {
    writeFileSync(`${path}.result`, await work());
  } catch (error) {
    writeFileSync(`${path}.error`, error instanceof Error ? error.message : String(error));
  }
  writeFileSync(`${path}.done`, "");
}

function lock(path: string): boolean {
  try {
    mkdirSync(path);
    return true;
  } catch {
    return false;
  }
}
