/** Progress on stderr: a bar on a terminal, a line per tenth otherwise, nothing with --json. */
import type { CheckpointProgress } from "@halfbyte/core";
import { Presets, SingleBar } from "cli-progress";

type Update = (progress: CheckpointProgress) => void;

/** One way of showing progress. */
interface View {
  update: Update;
  /** Gives line and cursor back. */
  end(): void;
}

/** Runs `work`, which reports its progress, and says `done` when it has succeeded. */
export async function withProgress<T>(
  title: string,
  json: boolean,
  done: string,
  work: (update: Update) => Promise<T>,
): Promise<T> {
  if (json) return work(() => undefined);
  const view = process.stderr.isTTY ? bar(title) : lines(title);
  try {
    const result = await work(view.update);
    view.end();
    process.stderr.write(`${done}\n`);
    return result;
  } catch (thrown) {
    view.end();
    throw thrown;
  }
}

/** A bar that leaves the keyboard alone: Ctrl-C must reach us as SIGINT, or the partial output would stay. */
function bar(title: string): View {
  const format = `${title} {bar} {value}/{total} {tensor}`;
  const view = new SingleBar(
    { stream: process.stderr, format, hideCursor: true, gracefulExit: false },
    Presets.shades_classic,
  );
  return {
    update({ done, total, tensor }) {
      if (view.isActive) view.update(done, { tensor });
      else view.start(total, done, { tensor });
    },
    end: () => view.stop(),
  };
}

function lines(title: string): View {
  let tenth = 0;
  return {
    update({ done, total, tensor }) {
      const reached = Math.floor((10 * done) / total);
      if (reached === tenth) return;
      tenth = reached;
      process.stderr.write(`${title}: ${done}/${total} ${tensor}\n`);
    },
    end: () => undefined,
  };
}
