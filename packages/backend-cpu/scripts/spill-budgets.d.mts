/** Types of spill-budgets.mjs, for the tests. */
type Compiler = "clang" | "gcc";
export declare const spillBudgets: Record<Compiler, Record<string, readonly [count: number, reason: string]>>;
export declare function beyondBudget(compiler: Compiler, file: string, traffic: Map<string, number>): string[];
