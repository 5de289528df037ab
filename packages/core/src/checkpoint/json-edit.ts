/** Edits of a JSON text that leave every other byte as its author wrote it. */

import { Reader } from "./json-reader.js";

/** Where a member of the top-level object stands: from the quote of its key to the end of its value. */
export interface MemberSpan {
  readonly key: string;
  readonly start: number;
  readonly valueStart: number;
  readonly end: number;
}

/** The spans of all members of a top-level object, in the order of the text. */
export function memberSpans(text: string): readonly MemberSpan[] {
  const spans = new Map<string, MemberSpan>();
  new Reader(text).document((reader) =>
    reader.members((key, start) => {
      if (spans.has(key)) throw reader.failure("duplicate", start, key);
      spans.set(key, { key, start, ...reader.valueSpan() });
    }),
  );
  return [...spans.values()];
}

/** The span of a member of the top-level object. */
export function memberSpan(text: string, key: string): MemberSpan | undefined {
  return memberSpans(text).find((span) => span.key === key);
}

/**
 * Sets a member of the top-level object: replaced where it stands, else added as the last one, in the style of its
 * neighbours. `jsonText` may have several lines; they are moved in by the indentation of the object's members.
 */
export function insertMember(text: string, key: string, jsonText: string): string {
  const spans = memberSpans(text);
  const style = styleOf(text, spans);
  const value = jsonText.trim().replace(/\r?\n/g, style.lineBreak);
  const present = spans.find((span) => span.key === key);
  if (present !== undefined) return splice(text, present.valueStart, present.end, value);
  const member = JSON.stringify(key) + style.colon + value;
  const last = spans.at(-1);
  if (last === undefined) return splice(text, text.indexOf("{"), text.lastIndexOf("}") + 1, `{\n  ${member}\n}`);
  return splice(text, last.end, last.end, `,${style.gap}${member}`);
}

/** The text without a member of the top-level object; unchanged when there is none. */
export function removeMember(text: string, key: string): string {
  const spans = memberSpans(text);
  const index = spans.findIndex((span) => span.key === key);
  if (index < 0) return text;
  const [before, member, after] = [spans[index - 1], spans[index]!, spans[index + 1]];
  if (after !== undefined) return splice(text, member.start, after.start, "");
  if (before !== undefined) return splice(text, before.end, member.end, "");
  return splice(text, text.indexOf("{") + 1, text.lastIndexOf("}"), "");
}

interface Style {
  /** What stands between a comma and the next member. */
  readonly gap: string;
  /** A line break followed by the indentation of a member. */
  readonly lineBreak: string;
  /** What stands between a key and its value. */
  readonly colon: string;
}

function styleOf(text: string, spans: readonly MemberSpan[]): Style {
  const [first, second] = spans;
  if (first === undefined) return { gap: "", lineBreak: "\n  ", colon: ": " };
  const colon = text.slice(first.start, first.valueStart).replace(/^"(?:[^"\\]|\\.)*"/, "");
  const lead = text.slice(text.indexOf("{") + 1, first.start);
  const between = second === undefined ? lead : text.slice(first.end, second.start).replace(/^\s*,/, "");
  const oneLine = second === undefined && lead === "" && colon.endsWith(" ");
  const gap = oneLine ? " " : between;
  return { gap, lineBreak: /\r?\n[ \t]*$/.exec(gap)?.[0] ?? "\n", colon };
}

function splice(text: string, start: number, end: number, replacement: string): string {
  return text.slice(0, start) + replacement + text.slice(end);
}
