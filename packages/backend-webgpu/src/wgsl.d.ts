/** Shaders are imported as text: the loaders stand in tsup.config.ts and in the repository's vitest.config.ts. */
declare module "*.wgsl" {
  const text: string;
  export default text;
}
