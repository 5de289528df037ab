/**
 * Vector registers that a compiler moved to the stack inside a hot loop: what a kernel with too many live values costs, and what no test
 * of its results shows. Reads the text of `objdump -d --no-show-raw-insn -C` for x86-64.
 */
import { innermostLoops } from "./natural-loops.mjs";

const functionHead = /^([0-9a-f]+) <(.*)>:$/;
const instruction = /^\s+([0-9a-f]+):\t(\S+)\s*(.*)$/;
const vectorRegister = /%[yz]mm\d/;
/** A constant place of the frame; an index makes it an array. */
const framePlace = { stack: /(^|,)-?(0x[0-9a-f]+)?\(%rsp\)/, base: /(^|,)-?(0x[0-9a-f]+)?\(%rbp\)/ };

/**
 * How many instructions with a 256- or 512-bit register and a place of the frame an innermost loop has; functions without any are left out.
 * @param {string} disassembly
 * @returns {Map<string, number>} by function, of its worst loop
 */
export function stackTraffic(disassembly) {
  const found = new Map();
  for (const { name, body } of functionsOf(disassembly)) {
    const count = spillsOf(body);
    if (count > 0) found.set(name, Math.max(count, found.get(name) ?? 0));
  }
  return found;
}

function functionsOf(disassembly) {
  const functions = [];
  for (const line of disassembly.split("\n")) {
    const head = functionHead.exec(line);
    if (head) functions.push({ name: plainName(head[2]), body: [] });
    const match = instruction.exec(line);
    if (match) functions.at(-1)?.body.push({ at: Number.parseInt(match[1], 16), name: match[2], operands: match[3] });
  }
  return functions;
}

/** Without namespaces that have no name, template arguments, parameters and the compiler's own suffixes. */
export function plainName(symbol) {
  let name = symbol.replaceAll("(anonymous namespace)::", "").replace(/ \[clone .*\]$/, "");
  for (let before = ""; before !== name; ) {
    before = name;
    name = name.replace(/<[^<>]*>/g, "").replace(/\([^()]*\)( const)?/g, "");
  }
  return name.trim().split(" ").at(-1);
}

/** Of the worst loop. */
function spillsOf(body) {
  const hasBase = body.some(({ name, operands }) => name === "mov" && operands === "%rsp,%rbp");
  const isSpill = ({ operands }) =>
    vectorRegister.test(operands) && (framePlace.stack.test(operands) || (hasBase && framePlace.base.test(operands)));
  return Math.max(0, ...innermostLoops(body).map((loop) => loop.filter(isSpill).length));
}
