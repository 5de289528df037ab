/** Bundling for a browser, as an application would. */
import { builtinModules } from "node:module";
import { type BuildResult, build, type Metafile } from "esbuild";

const builtins = new Set([...builtinModules, ...builtinModules.map((name) => `node:${name}`)]);

/** From the TypeScript sources. */
export function bundle(entry: string, minify: boolean): Promise<BuildResult<{ write: false; metafile: true }>> {
  return build({
    entryPoints: [entry],
    bundle: true,
    format: "esm",
    platform: "browser",
    conditions: ["@halfbyte/source"],
    external: [...builtins], // so that an import of one is found by the test and named, not a failed build
    minify,
    metafile: true,
    write: false,
    logLevel: "silent",
  });
}

export function builtinImports({ inputs }: Metafile): string[] {
  return Object.entries(inputs).flatMap(([file, { imports }]) =>
    imports.filter(({ path }) => builtins.has(path)).map(({ path }) => `${file} imports ${path}`),
  );
}
