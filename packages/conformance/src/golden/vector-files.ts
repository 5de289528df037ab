/** Where golden vectors are read from: a folder of this machine (folder.ts), or whatever a browser can fetch. */
export interface VectorFiles {
  /** Every file, by its path with slashes. */
  list(): Promise<readonly string[]>;
  read(path: string): Promise<Uint8Array>;
}

/** Without its folders. */
export const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** The folders, with the slash at their end. */
export const folderName = (path: string): string => path.slice(0, path.lastIndexOf("/") + 1);
