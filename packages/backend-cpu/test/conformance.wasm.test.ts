/** The specification of a backend, run on the WebAssembly build that every engine with SIMD has. */
import { describeBackend } from "@halfbyte/conformance";
import { cpu } from "../src/index.js";
import { forgetSelfTests } from "./conformance.js";

forgetSelfTests();
process.env["HALFBYTE_CPU_ISA"] = "wasm";
describeBackend(cpu({ tier: "wasm" }), { tier: "wasm" });
