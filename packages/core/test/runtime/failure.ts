/** What a call fails with. */
import { expect } from "vitest";
import { type HalfbyteError, isHalfbyteError } from "../../src/errors.js";

export function thrownBy(body: () => unknown): HalfbyteError {
  try {
    body();
  } catch (thrown) {
    return typed(thrown);
  }
  return expect.unreachable("nothing was thrown");
}

export async function rejectionOf(promise: Promise<unknown>): Promise<HalfbyteError> {
  const thrown = await promise.then(
    () => expect.unreachable("nothing was thrown"),
    (error: unknown) => error,
  );
  return typed(thrown);
}

/** Every failure has a code and a remedy. */
function typed(thrown: unknown): HalfbyteError {
  if (!isHalfbyteError(thrown)) throw thrown;
  expect(thrown.remedy).not.toBe("");
  return thrown;
}

export const expectCode = async (promise: Promise<unknown>, code: string): Promise<void> => {
  expect((await rejectionOf(promise)).code).toBe(code);
};
