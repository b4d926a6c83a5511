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

/** Counts work down, so that no input costs more than it should. */
export class Budget {
  #left: number;
  readonly #what: string;

  constructor(units: number, what: string) {
    this.#left = units;
    this.#what = what;
  }

  /** Throws a GrammarError when more was spent than there is. */
  spend(units: number, path = ""): void {
    this.#left -= units;
    if (this.#left < 0) throw new GrammarError(`${this.#what} is too large`, path);
  }
}
