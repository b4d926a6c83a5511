/**
 * A schema, pattern or grammar that cannot be followed. The message names what, and where it stands in what the caller gave.
 */
export class GrammarError extends Error {
  override readonly name = "GrammarError";
  /** Where it stands, as a JSON pointer or a line; empty for the whole. */
  readonly path: string;

  constructor(message: string, path = "") {
    super(path === "" ? message : `${message} (at ${path})`);
    this.path = path;
  }
}

/** What was begun takes longer than {@linkcode breakOffAfter} allows. It says nothing of what is compiled. */
export class TooLongError extends Error {
  override readonly name = "TooLongError";
}

let breakOffAt = Infinity;
/** Units of work between two looks at the clock: some microseconds. */
const LOOK_UNITS = 256;

/** From now on work that goes on for more than `ms` is broken off, by a TooLongError; Infinity: none is. For a thread that does one thing at a time. */
export function breakOffAfter(ms: number): void {
  breakOffAt = performance.now() + ms;
}

/** Counts work down, so that no input costs more than it should. */
export class Budget {
  #left: number;
  readonly #what: string;
  #untilLook = LOOK_UNITS;

  constructor(units: number, what: string) {
    this.#left = units;
    this.#what = what;
  }

  /** Throws a GrammarError when more was spent than there is, a TooLongError when the time is over. */
  spend(units: number, path = ""): void {
    this.#left -= units;
    if (this.#left < 0) throw new GrammarError(`${this.#what} is too large`, path);
    this.#untilLook -= units;
    if (this.#untilLook > 0) return;
    this.#untilLook = LOOK_UNITS;
    if (performance.now() > breakOffAt) throw new TooLongError("broken off");
  }
}
