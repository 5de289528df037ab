import { reference } from "@halfbyte/core"; import { describeBackend } from "../src/index.js"; describeBackend(reference(), { scale: "full" });
