import { describeNative } from "./conformance.js";

describeNative("avx2");
