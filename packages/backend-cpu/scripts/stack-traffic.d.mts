/** Types of stack-traffic.mjs, for the tests. */
export declare function stackTraffic(disassembly: string): Map<string, number>;
export declare function plainName(symbol: string): string;
