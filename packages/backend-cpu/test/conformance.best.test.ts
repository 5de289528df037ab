import { describeNative } from "./conformance.js";

describeNative("best");
