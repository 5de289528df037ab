/** What needs a file system: sources and sinks on disk. */
export { fileRepository, fileSource, folderRepository } from "./checkpoint/node-source.js";
export { type DiskSinkOptions, folderSink, singleFileSink } from "./checkpoint/node-sink.js";
