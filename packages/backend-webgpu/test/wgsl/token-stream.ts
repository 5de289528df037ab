/** Tokens, one after the other. */
import { type Token, tokensOf } from "./lexer.js";

const end: Token = { kind: "end", text: "", glued: false, line: 0 };

export class TokenStream {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = tokensOf(text);
  }

  get next(): Token {
    return this.#tokens[this.#at] ?? end;
  }

  take(): Token {
    const token = this.next;
    this.#at++;
    return token;
  }

  /** The next one, if it is this. */
  accept(text: string): boolean {
    if (this.next.text !== text) return false;
    this.#at++;
    return true;
  }

  expect(text: string): void {
    if (!this.accept(text)) this.fail(`expected ${text}`);
  }

  name(): string {
    return this.next.kind === "name" ? this.take().text : this.fail("expected a name");
  }

  /** Things between commas, up to `close`; one comma may trail. */
  list<T>(close: string, one: () => T): T[] {
    const items: T[] = [];
    while (!this.accept(close)) {
      items.push(one());
      if (!this.accept(",")) {
        this.expect(close);
        break;
      }
    }
    return items;
  }

  /** The operator that stands here: `>`, `>=`, `>>` and `>>=` come as several tokens. Takes nothing. */
  operator(): string {
    const { kind, text } = this.next;
    if (kind !== "symbol") return "";
    if (text !== ">") return text;
    let [operator, at] = [">", this.#at];
    while (this.#tokens[at]?.glued && /^(>|=)$/.test(this.#tokens[at + 1]?.text ?? "") && operator.length < 3) {
      operator += this.#tokens[++at]!.text;
      if (operator.endsWith("=")) break;
    }
    return operator;
  }

  takeOperator(operator: string): void {
    this.#at += operator.startsWith(">") ? operator.length : 1;
  }

  fail(why: string): never {
    throw new Error(`line ${this.next.line}: ${why}, found ${this.next.text || "the end"}`);
  }
}
