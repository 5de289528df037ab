import { describeNative } from "./conformance.js";

describeNative("scalar");
