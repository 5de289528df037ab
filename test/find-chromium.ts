/** The Chromium or Chrome of this machine. */
import { existsSync } from "node:fs";
import { join } from "node:path";

export const chromiumAdvice =
  "no Chromium found: install chromium or Google Chrome, or set CHROMIUM_PATH to its executable";

/** Beside --no-sandbox (containers run as root) only what keeps it quiet and off the network. */
export const chromiumFlags = [
  "--no-sandbox",
  "--disable-background-networking",
  "--disable-component-update",
  "--no-first-run",
];

/** WebGPU in software: the same adapter on every machine. */
export const webgpuFlags = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

/**
 * For tests of every day: workgroup memory is not cleared before a kernel. SwiftShader compiles the clearing to a store per element, which is most of what a
 * page waits for; no kernel relies on it.
 */
export const quickWebgpuFlags = [...webgpuFlags, "--enable-dawn-features=disable_workgroup_init"];

export function findChromium(): string | undefined {
  const given = process.env["CHROMIUM_PATH"];
  return given ? given : candidates().find((path) => existsSync(path));
}

function candidates(): string[] {
  const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
  const programs = [process.env["PROGRAMFILES"], process.env["PROGRAMFILES(X86)"], process.env["LOCALAPPDATA"]];
  return [
    ...["/usr/bin", "/usr/local/bin", "/snap/bin"].flatMap((folder) => names.map((name) => join(folder, name))),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    ...programs.flatMap((folder) => (folder ? [join(folder, "Google", "Chrome", "Application", "chrome.exe")] : [])),
  ];
}
