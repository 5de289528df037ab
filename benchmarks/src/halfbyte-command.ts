/** The command line as it is built, to be started with Node. */
import { join } from "node:path";
import { folderOf } from "./peers/peer.js";

export const halfbyteCommand = (): string => join(folderOf("halfbyte"), "bin", "halfbyte.js");
