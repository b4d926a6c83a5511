/** Download speed and time left. @module */

/** What a download reports, about ten times a second. */
export interface DownloadProgress {
  /** "resume": hashing what an earlier download left; "download": receiving. */
  readonly phase: "resume" | "download";
  /** Bytes there so far. */
  readonly bytes: number;
  /** Bytes of the whole file, where the hub tells it. */
  readonly totalBytes?: number;
  /** Speed over the last five seconds. */
  readonly bytesPerSecond: number;
  /** Estimated time to the end. */
  readonly secondsLeft?: number;
}

const WINDOW_MS = 5000;
const INTERVAL_MS = 100;

/** Turns byte counts into reports. `now` in milliseconds is passed in. */
export class Meter {
  #samples: { atMs: number; bytes: number }[] = [];
  #reportedMs = -Infinity;

  constructor(readonly phase: DownloadProgress["phase"], startBytes: number, nowMs: number) {
    this.#samples.push({ atMs: nowMs, bytes: startBytes });
  }

  /** A report, or null when the last one is younger than 100 ms. The last byte is always reported. */
  report(bytes: number, totalBytes: number | undefined, nowMs: number): DownloadProgress | null {
    if (nowMs - this.#reportedMs < INTERVAL_MS && bytes !== totalBytes) return null;
    this.#reportedMs = nowMs;
    this.#samples.push({ atMs: nowMs, bytes });
    while (this.#samples.length > 2 && nowMs - this.#samples[0].atMs > WINDOW_MS) this.#samples.shift();
    const first = this.#samples[0];
    const seconds = (nowMs - first.atMs) / 1000;
    const bytesPerSecond = seconds > 0 ? (bytes - first.bytes) / seconds : 0;
    const secondsLeft = totalBytes !== undefined && bytesPerSecond > 0
      ? (totalBytes - bytes) / bytesPerSecond
      : undefined;
    return { phase: this.phase, bytes, totalBytes, bytesPerSecond, secondsLeft };
  }
}
