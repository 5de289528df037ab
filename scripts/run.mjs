/**
 * Starting other programs without a shell, the same way on every system. Plain Node: this file runs on a fresh clone,
 * before anything is installed.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
export const pnpmVersion = "10.34.9";

/**
 * npm's own scripts as JavaScript files. Windows cannot start `npx.cmd` without a shell, so npx runs as
 * `node npx-cli.js` everywhere.
 * @param {"npm" | "npx"} name
 */
export function npmScript(name) {
  const found = npmFolders()
    .map((folder) => join(folder, "bin", `${name}-cli.js`))
    .find((file) => existsSync(file));
  if (!found)
    throw new Error(`Cannot find npm beside ${process.execPath}. Install Node from nodejs.org, npm included.`);
  return found;
}

function npmFolders() {
  const caller = process.env["npm_execpath"]; // npm-cli.js under `npm run`, but pnpm's file under `pnpm run`
  const bin = dirname(process.execPath);
  return [
    ...(caller?.endsWith("npm-cli.js") ? [resolve(dirname(caller), "..")] : []),
    join(bin, "node_modules", "npm"), // Windows
    join(bin, "..", "lib", "node_modules", "npm"), // everywhere else
    ...pathFolders().map((folder) => join(folder, "node_modules", "npm")),
    ...pathFolders().map((folder) => join(folder, "..", "lib", "node_modules", "npm")),
    "/usr/share/nodejs/npm", // Debian's own package
  ];
}

function pathFolders() {
  return (process.env["PATH"] ?? "").split(process.platform === "win32" ? ";" : ":").filter(Boolean);
}

/** The arguments of `node` that run pnpm: `node(pnpm("install"))`. @param {...string} args */
export function pnpm(...args) {
  return [npmScript("npx"), "-y", `pnpm@${pnpmVersion}`, ...args];
}

/**
 * Runs Node with these arguments and resolves with the exit code. Interrupts reach the child, which ends first.
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<number>}
 */
export function node(args, options = {}) {
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: "inherit", ...options });
    const letChildFinish = () => {}; // the terminal has sent SIGINT to the child as well
    const passOn = () => child.kill("SIGTERM");
    process.on("SIGINT", letChildFinish).on("SIGTERM", passOn);
    child.on("error", failed).on("close", (code, signal) => {
      process.off("SIGINT", letChildFinish).off("SIGTERM", passOn);
      done(code ?? (signal === "SIGINT" ? 130 : 1));
    });
  });
}

/**
 * Runs Node with these arguments and collects what it prints; never throws.
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, timeoutMs?: number }} [options]
 * @returns {Promise<{ code: number, stdout: string, stderr: string }>}
 */
export function capture(args, { timeoutMs = 300_000, ...options } = {}) {
  return new Promise((done) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"], ...options });
    const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
    child
      .on("error", (error) => (stderr += error.message))
      .on("close", (code) => {
        clearTimeout(timer);
        done({ code: code ?? 1, stdout, stderr });
      });
  });
}
