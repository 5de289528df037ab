/** Types of workspace.mjs, for the tests. */
interface WorkspacePackage {
  folder: string;
  manifest: { name: string; version: string; private?: boolean };
}
export declare function packages(): WorkspacePackage[];
export declare function publishedPackages(): WorkspacePackage[];
export declare function ensureInstalled(): Promise<void>;
export declare function ensureBuilt(): Promise<void>;
export declare function packAll(folder: string): Promise<{ name: string; manifest: Manifest; tarball: string }[]>;

/** What is used of a package.json. */
export interface Manifest {
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
}
