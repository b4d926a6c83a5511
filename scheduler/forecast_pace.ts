/** Weight of one first token against those before. */
const SHARE = 1 / 16;
/** Forecasts are stretched by no more than this, and never shortened. */
const PACE_MAX = 3;
/** Forecasts shorter than this share of what is promised decide nothing, and say little. */
const TELLING_SHARE = 0.2;

/**
 * By how much longer first tokens take than was played: a machine that has other work beside the engine,
 * threads that wait for a core. It compares each forecast with what became of it, so that it says nothing of
 * how much there was to do.
 */
export class ForecastPace {
  #logarithm = 0;

  /** At least 1. */
  get value(): number {
    return Math.min(Math.max(Math.exp(this.#logarithm), 1), PACE_MAX);
  }

  /**
   * A first token came after `actualMs` where `playedMs` were played, in a class that promises `ttftSloMs`.
   */
  note(playedMs: number, actualMs: number, ttftSloMs = Infinity): void {
    if (!(playedMs >= TELLING_SHARE * ttftSloMs) || !(actualMs > 0)) return;
    const ratio = Math.min(Math.max(actualMs / playedMs, 1 / PACE_MAX), PACE_MAX);
    this.#logarithm += SHARE * (Math.log(ratio) - this.#logarithm);
  }
}
