export interface Expectation {
  readonly kernel: string;
  readonly needs: string;
  /** Of the kernel's symbols only those that match. */
  readonly instances?: RegExp;
  /** Of the architectures only those from this one on: 80. */
  readonly from?: number;
}
export const instructions: Readonly<Record<string, RegExp>>;
export const expectations: readonly Expectation[];
