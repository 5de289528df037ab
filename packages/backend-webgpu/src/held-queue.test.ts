import { expect, test } from "vitest";
import { HeldQueue } from "./held-queue.js";

test("runs at once while nothing is held", () => {
  const ran: number[] = [];
  expect(new HeldQueue().enqueue(() => ran.push(1))).toBeUndefined();
  expect(ran).toEqual([1]);
});

test("an entry that waits holds everything behind it, in order", async () => {
  const [queue, ran] = [new HeldQueue(), [] as number[]];
  let ready = () => {};
  queue.enqueue(() => ran.push(1), new Promise<void>((resolve) => (ready = resolve)));
  queue.enqueue(() => ran.push(2));
  queue.enqueue(() => ran.push(3), Promise.resolve());
  await Promise.resolve();
  expect(ran).toEqual([]);
  ready();
  await queue.passed();
  expect(ran).toEqual([1, 2, 3]);
  expect(queue.isHeld).toBe(false);
});

test("what fails tells its caller and lets the others pass", async () => {
  const [queue, ran] = [new HeldQueue(), [] as number[]];
  const compiled = queue.enqueue(() => ran.push(1), Promise.reject(new Error("does not compile")));
  const thrown = queue.enqueue(() => {
    throw new Error("refused");
  });
  queue.enqueue(() => ran.push(3));
  await expect(compiled).rejects.toThrow("does not compile");
  await expect(thrown).rejects.toThrow("refused");
  await queue.passed();
  expect(ran).toEqual([3]);
});
