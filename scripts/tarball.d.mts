/** Types of tarball.mjs, for the tests. */
export declare function readTarball(path: string): Map<string, Buffer>;
