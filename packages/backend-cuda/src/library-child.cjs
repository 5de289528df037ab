/**
 * Calls functions of a system library for another process, which ends this one when it hangs. Started by isolated-library.ts with
 * the library's name as its only argument; every message is a call, every answer its status and the arrays it filled. Plain JavaScript
 * and beside its caller, because it runs from the sources as well as from the build.
 */
"use strict";

const { load } = require("koffi");

const functions = new Map();
let library;

try {
  library = load(process.argv[2]);
  process.send({ loaded: true });
} catch (thrown) {
  process.send({ thrown: thrown.message });
}

process.on("message", ({ id, name, signature, args }) => {
  const call = functionOf(name, signature);
  if (!call) return void process.send({ id, missing: true });
  try {
    const status = call(...args);
    process.send({ id, status, arrays: args.filter(ArrayBuffer.isView) });
  } catch (thrown) {
    process.send({ id, thrown: thrown.message });
  }
});

// Nobody is left to answer to.
process.on("disconnect", () => process.exit());

/** Undefined when the library has none of this name. */
function functionOf(name, signature) {
  if (!functions.has(name)) functions.set(name, bind(name, signature));
  return functions.get(name);
}

function bind(name, signature) {
  try {
    library.symbol(name);
  } catch {
    return undefined;
  }
  return library.func(name, "int", signature === "" ? [] : signature.split(",").map((type) => type.trim()));
}
