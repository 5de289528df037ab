/** What needs a file system: sources and sinks on disk. */

export { type DiskSinkOptions, folderSink, singleFileSink } from "./checkpoint/node-sink.js";
export { fileRepository, fileSource, folderRepository } from "./checkpoint/node-source.js";
