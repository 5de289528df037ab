/** Memory and processor time of this process: what can always be told. */

export interface ProcessUsage {
  readonly rssBytes: number;
  /** Processor time per time since the last reading: 1 is one core all the time. */
  readonly cpu: number;
}

export class ProcessMeter {
  #at = performance.now();
  #used = process.cpuUsage();

  read(): ProcessUsage {
    const [now, used] = [performance.now(), process.cpuUsage()];
    const microseconds = used.user + used.system - this.#used.user - this.#used.system;
    const elapsed = Math.max(1, (now - this.#at) * 1000);
    this.#at = now;
    this.#used = used;
    return { rssBytes: process.memoryUsage.rss(), cpu: Math.max(0, microseconds / elapsed) };
  }
}
