/** The queue of tiers that run on the calling thread: order, rows, turns of the event loop. No time is judged. */
import { describe, expect, test } from "vitest";
import { type Phase, SliceQueue } from "../../src/reference/slice-queue.js";

const note = (log: string[], name: string): Phase => ({ rows: 1, rowCost: 1, run: () => void log.push(name) });

/** Takes longer than a turn may. */
function busy(rows: number, log: string[] = [], name = "busy"): Phase {
  const run = (begin: number, end: number) => {
    const until = performance.now() + 5;
    while (performance.now() < until);
    log.push(`${name} ${begin}-${end}`);
  };
  return { rows, rowCost: 1 << 20, run };
}

describe("SliceQueue", () => {
  test("runs a small operation before its call returns", () => {
    const log: string[] = [];
    new SliceQueue().enqueue(note(log, "a"));
    expect(log).toEqual(["a"]);
  });

  test("covers every row once, in order, whatever a row costs", async () => {
    for (const [rows, rowCost] of [
      [0, 1],
      [1, 1 << 30],
      [7, 1 << 15],
      [100_003, 1],
      [100_003, 7],
    ] as const) {
      const queue = new SliceQueue();
      let next = 0;
      const run = (begin: number, end: number) => {
        expect(begin).toBe(next);
        expect(end).toBeGreaterThan(begin);
        next = end;
      };
      queue.enqueue({ rows, rowCost, run });
      await queue.settled();
      expect(next).toBe(rows);
    }
  });

  test("a row at a time when rows are dear", async () => {
    const log: string[] = [];
    const queue = new SliceQueue();
    queue.enqueue(busy(3, log, "dear"));
    await queue.settled();
    expect(log).toEqual(["dear 0-1", "dear 1-2", "dear 2-3"]);
  });

  test("gives way to the event loop between slices", async () => {
    const log: string[] = [];
    const queue = new SliceQueue();
    queue.enqueue(busy(4, log));
    setImmediate(() => log.push("turn"));
    await queue.settled();
    expect(log[0]).toBe("busy 0-1");
    expect(log.indexOf("turn")).toBeGreaterThan(0);
    expect(log.indexOf("turn")).toBeLessThan(log.indexOf("busy 3-4"));
  });

  test("once the time of a turn is spent, small work waits for the next one", async () => {
    const log: string[] = [];
    const queue = new SliceQueue();
    queue.enqueue(busy(1, log));
    queue.enqueue(note(log, "small"));
    expect(log).toEqual(["busy 0-1"]);
    await queue.settled();
    expect(log).toEqual(["busy 0-1", "small"]);
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    queue.enqueue(note(log, "inline again"));
    expect(log).toHaveLength(3);
  });

  test("keeps the order of calls, inline or not", async () => {
    const log: string[] = [];
    const queue = new SliceQueue();
    for (let i = 0; i < 5; i++) queue.enqueue(busy(i % 2, log, `${i}`), note(log, `after ${i}`));
    await queue.settled();
    const order = log.filter((entry) => entry.startsWith("after"));
    expect(order).toEqual([0, 1, 2, 3, 4].map((i) => `after ${i}`));
    expect(log.indexOf("1 0-1")).toBeLessThan(log.indexOf("after 1"));
  });

  test("insertNext comes behind the phase that runs, before everything else", async () => {
    const log: string[] = [];
    const queue = new SliceQueue();
    const prepare = { rows: 1, rowCost: 1, run: () => queue.insertNext(busy(2, log), note(log, "check")) };
    queue.enqueue(prepare, note(log, "next"));
    await queue.settled();
    expect(log).toEqual(["busy 0-1", "busy 1-2", "check", "next"]);
  });

  test("settled() waits for what was enqueued before it, not for more", async () => {
    const log: string[] = [];
    const queue = new SliceQueue();
    queue.enqueue(busy(2, log, "before"));
    const settled = queue.settled().then(() => log.push("settled"));
    queue.enqueue(busy(3, log, "after"));
    await settled;
    expect(log).toContain("before 1-2");
    expect(log).not.toContain("after 2-3");
    await queue.settled();
    expect(log).toContain("after 2-3");
  });

  test("settled() of an idle queue resolves without a turn", async () => {
    const log: string[] = [];
    setImmediate(() => log.push("turn"));
    await new SliceQueue().settled();
    expect(log).toEqual([]);
  });

  test("ten thousand entries behind a busy one", async () => {
    const queue = new SliceQueue();
    let count = 0;
    queue.enqueue(busy(1));
    for (let i = 0; i < 10_000; i++) queue.enqueue({ rows: 1, rowCost: 1, run: () => void count++ });
    expect(count).toBe(0);
    await queue.settled();
    expect(count).toBe(10_000);
  });
});
