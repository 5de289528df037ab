/** Giving way to the event loop. */

const hasImmediate = typeof setImmediate === "function";

/** Calls back in the next turn of the event loop, without the delay that browsers put on timers. */
export function nextTurn(callback: () => void): void {
  if (hasImmediate) setImmediate(callback);
  else postTurn(callback);
}

function postTurn(callback: () => void): void {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    callback();
  };
  port2.postMessage(0);
}

/** Resolves in the next turn of the event loop. */
export const turn = (): Promise<void> => new Promise((resolve) => nextTurn(resolve));
