/**
 * The innermost loops of a function in machine code: natural loops, so that blocks which a compiler merely placed between the jump back and
 * its target do not count. Dominators after Cooper, Harvey and Kennedy.
 */

/**
 * @typedef {{ at: number, name: string, operands: string }} Instruction `at` and the targets of jumps are addresses
 * @param {readonly Instruction[]} body
 * @returns {Instruction[][]} the instructions of each innermost loop
 */
export function innermostLoops(body) {
  const blocks = blocksOf(body);
  const order = reversePostorder(blocks);
  const dominators = dominatorsOf(blocks, order);
  const loops = new Map();
  for (const from of order)
    for (const to of blocks[from].next)
      if (dominates(dominators, to, from)) loops.set(to, grow(blocks, to, from, loops.get(to)));
  const headers = [...loops.keys()];
  const isInnermost = ([header, members]) => !headers.some((other) => other !== header && members.has(other));
  return [...loops].filter(isInnermost).map(([, members]) => [...members].flatMap((block) => blocks[block].body));
}

const isJump = ({ name }) => name.startsWith("j");
const isEnd = ({ name }) => ["jmp", "ret", "ud2", "hlt"].includes(name);
const targetOf = ({ operands }) => Number.parseInt(operands, 16);

/** Basic blocks with the numbers of those before and after. */
function blocksOf(body) {
  const leaders = new Set([body[0]?.at, ...body.filter(isJump).map(targetOf)]);
  const blocks = [];
  body.forEach((instruction, i) => {
    const before = body[i - 1];
    if (leaders.has(instruction.at) || (before && (isJump(before) || isEnd(before))))
      blocks.push({ body: [], next: [], previous: [] });
    blocks.at(-1).body.push(instruction);
  });
  const numbers = new Map(blocks.map(({ body }, number) => [body[0].at, number]));
  blocks.forEach((block, number) => {
    const last = block.body.at(-1);
    const targets = isJump(last) ? [numbers.get(targetOf(last))] : [];
    if (!isEnd(last) && number + 1 < blocks.length) targets.push(number + 1);
    block.next = targets.filter((target) => target !== undefined);
    for (const target of block.next) blocks[target].previous.push(number);
  });
  return blocks;
}

/** Of the blocks that can be reached from the first. */
function reversePostorder(blocks) {
  if (blocks.length === 0) return [];
  const [seen, done, stack] = [new Set([0]), [], [[0, 0]]];
  while (stack.length > 0) {
    const top = stack.at(-1);
    const next = blocks[top[0]].next[top[1]++];
    if (next === undefined) done.push(stack.pop()[0]);
    else if (!seen.has(next)) {
      seen.add(next);
      stack.push([next, 0]);
    }
  }
  return done.reverse();
}

/** The immediate dominator of each block; the first is its own. */
function dominatorsOf(blocks, order) {
  const rank = new Map(order.map((block, i) => [block, i]));
  const immediate = new Map([[0, 0]]);
  const meet = (a, b) => {
    while (a !== b) {
      while (rank.get(a) > rank.get(b)) a = immediate.get(a);
      while (rank.get(b) > rank.get(a)) b = immediate.get(b);
    }
    return a;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (const block of order.slice(1)) {
      const found = blocks[block].previous.filter((one) => immediate.has(one)).reduce(meet);
      changed ||= immediate.get(block) !== found;
      immediate.set(block, found);
    }
  }
  return immediate;
}

function dominates(immediate, above, block) {
  for (let at = block; ; at = immediate.get(at)) {
    if (at === above) return true;
    if (at === 0) return false;
  }
}

/** The loop of `header` with everything that reaches the jump back at `tail`. */
function grow(blocks, header, tail, members = new Set([header])) {
  const open = [tail];
  for (let block = open.pop(); block !== undefined; block = open.pop()) {
    if (members.has(block)) continue;
    members.add(block);
    open.push(...blocks[block].previous);
  }
  return members;
}
