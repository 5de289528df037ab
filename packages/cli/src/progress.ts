/** Progress on stderr: a bar on a terminal, a line per tenth otherwise, nothing with --json. */
import { progress } from "@clack/prompts";
import type { CheckpointProgress } from "@halfbyte/core";

export interface ProgressView {
  update(progress: CheckpointProgress): void;
  stop(message: string): void;
}

const silent: ProgressView = { update: () => undefined, stop: () => undefined };

export function progressView(title: string, json: boolean): ProgressView {
  if (json) return silent;
  return process.stderr.isTTY ? bar(title) : lines(title);
}

function bar(title: string): ProgressView {
  let view: ReturnType<typeof progress> | undefined;
  let done = 0;
  return {
    update(state) {
      if (!view) {
        view = progress({ max: state.total, output: process.stderr });
        view.start(title);
      }
      view.advance(state.done - done, `${state.done}/${state.total} ${state.tensor}`);
      done = state.done;
    },
    stop: (message) => view?.stop(message),
  };
}

function lines(title: string): ProgressView {
  let tenth = 0;
  return {
    update({ done, total, tensor }) {
      const reached = Math.floor((10 * done) / total);
      if (reached === tenth) return;
      tenth = reached;
      process.stderr.write(`${title}: ${done}/${total} ${tensor}\n`);
    },
    stop: (message) => void process.stderr.write(`${message}\n`),
  };
}
