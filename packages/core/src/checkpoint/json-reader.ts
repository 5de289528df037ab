/** The token level of the strict JSON reader: one pass over the text, nothing built char by char. */

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** What the reader throws; callers translate it to a code of the catalogue. */
export interface JsonError extends Error {
  readonly kind: "syntax" | "duplicate";
  /** Index into the text, in UTF-16 code units. */
  readonly offset: number;
  /** The key that occurs twice. */
  readonly key?: string;
  /** The keys of the objects around the offset, outermost first. */
  readonly path: readonly string[];
}

export interface JsonOptions {
  /** Numbers written with a fraction, an exponent or as `-0` become NaN. */
  readonly integersOnly?: boolean;
}

const maxDepth = 64;
const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const backslash = 0x5c;
const brackets = { open: 0x5b, close: 0x5d };
const braces = { open: 0x7b, close: 0x7d };
const words = new Map<number, readonly [string, JsonValue]>([
  [0x74, ["true", true]],
  [0x66, ["false", false]],
  [0x6e, ["null", null]],
]);
const numberToken = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/** Positions move by char code and strings are slices. */
export class Reader {
  readonly #text: string;
  readonly #integersOnly: boolean;
  /** The key being read at each depth. */
  readonly #keys: (string | undefined)[] = [];
  #at = 0;
  #depth = 0;

  constructor(text: string, options: JsonOptions = {}) {
    this.#text = text;
    this.#integersOnly = options.integersOnly ?? false;
  }

  document<T>(read: (reader: Reader) => T): T {
    const result = read(this);
    this.#next();
    if (this.#at < this.#text.length) throw this.failure("syntax", this.#at);
    return result;
  }

  value(): JsonValue {
    const first = this.#next();
    if (first === quote) return this.#string();
    if (first === braces.open) return this.#object();
    if (first === brackets.open) return this.#array();
    const word = words.get(first);
    return word === undefined ? this.#number() : this.#word(...word);
  }

  valueSpan(): { valueStart: number; end: number } {
    this.#next();
    const valueStart = this.#at;
    this.value();
    return { valueStart, end: this.#at };
  }

  /** Reads an object; `visit` must read the value. */
  members(visit: (key: string, start: number) => void): void {
    this.#enter(braces.open);
    if (this.#next() === braces.close) this.#at += 1;
    else
      do {
        this.#next();
        const start = this.#at;
        const key = this.#string();
        this.#keys[this.#depth] = key;
        this.#expect(colon);
        visit(key, start);
      } while (this.#another(braces.close));
    this.#keys[this.#depth] = undefined;
    this.#depth -= 1;
  }

  failure(kind: JsonError["kind"], offset: number, key?: string): JsonError {
    const message = kind === "syntax" ? `not JSON at offset ${offset}` : `key ${JSON.stringify(key)} occurs twice`;
    const depth = kind === "duplicate" ? this.#depth - 1 : this.#depth;
    const path = this.#keys.slice(1, depth + 1).filter((name) => name !== undefined);
    return Object.assign(new Error(message), { kind, offset, path, ...(key === undefined ? {} : { key }) });
  }

  #object(): JsonObject {
    const object: Record<string, JsonValue> = Object.create(null);
    this.members((key, start) => {
      if (key in object) throw this.failure("duplicate", start, key);
      object[key] = this.value();
    });
    return object;
  }

  #array(): readonly JsonValue[] {
    const array: JsonValue[] = [];
    this.#enter(brackets.open);
    if (this.#next() === brackets.close) this.#at += 1;
    else
      do array.push(this.value());
      while (this.#another(brackets.close));
    this.#depth -= 1;
    return array;
  }

  #enter(open: number): void {
    this.#expect(open);
    this.#depth += 1;
    if (this.#depth > maxDepth) throw this.failure("syntax", this.#at - 1);
  }

  #another(close: number): boolean {
    const next = this.#next();
    if (next !== comma && next !== close) throw this.failure("syntax", this.#at);
    this.#at += 1;
    return next === comma;
  }

  #string(): string {
    const start = this.#at;
    this.#expect(quote);
    for (let i = start + 1; ; i++) {
      const code = this.#text.charCodeAt(i);
      if (code === quote) return this.#take(start + 1, i);
      if (code === backslash) return this.#escaped(start);
      if (!(code >= 0x20)) throw this.failure("syntax", i);
    }
  }

  #take(start: number, end: number): string {
    this.#at = end + 1;
    return this.#text.slice(start, end);
  }

  /** A string with escapes: only its end is found here, the platform decodes the token. */
  #escaped(start: number): string {
    const end = this.#closingQuote(start + 1);
    this.#at = end + 1;
    const decoded = decodeString(this.#text.slice(start, end + 1));
    if (decoded === undefined) throw this.failure("syntax", start);
    return decoded;
  }

  #closingQuote(from: number): number {
    for (let i = from; ; i++) {
      const code = this.#text.charCodeAt(i);
      if (code === quote) return i;
      if (code === backslash) i++;
      else if (Number.isNaN(code)) throw this.failure("syntax", i);
    }
  }

  #number(): number {
    const short = this.#shortInteger();
    if (short !== undefined) return short;
    numberToken.lastIndex = this.#at;
    const token = numberToken.exec(this.#text)?.[0];
    if (token === undefined) throw this.failure("syntax", this.#at);
    this.#at += token.length;
    return this.#integersOnly && (/[.eE]/.test(token) || token === "-0") ? Number.NaN : Number(token);
  }

  /** The usual case, at most 15 plain digits, without a substring. */
  #shortInteger(): number | undefined {
    const start = this.#at;
    let sum = 0;
    let end = start;
    let digit = this.#digit(end);
    while (digit >= 0 && digit <= 9) {
      sum = sum * 10 + digit;
      digit = this.#digit(++end);
    }
    const length = end - start;
    const leadingZero = length > 1 && this.#digit(start) === 0;
    const more = digit + 0x30 === 0x2e || ((digit + 0x30) | 0x20) === 0x65;
    if (length === 0 || length > 15 || leadingZero || more) return undefined;
    this.#at = end;
    return sum;
  }

  #digit(at: number): number {
    return this.#text.charCodeAt(at) - 0x30;
  }

  #word(word: string, value: JsonValue): JsonValue {
    if (!this.#text.startsWith(word, this.#at)) throw this.failure("syntax", this.#at);
    this.#at += word.length;
    return value;
  }

  #expect(code: number): void {
    if (this.#next() !== code) throw this.failure("syntax", this.#at);
    this.#at += 1;
  }

  /** Skips white space; the code of the next character, NaN at the end. */
  #next(): number {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return code;
      this.#at += 1;
    }
  }
}

function decodeString(token: string): string | undefined {
  try {
    const decoded: string = JSON.parse(token);
    return /\p{Surrogate}/u.test(decoded) ? undefined : decoded;
  } catch {
    return undefined;
  }
}
