/**
 * One line on standard error that shows what is being waited for and for how long. Standard output stays free
 * for the command's own text.
 * @module
 */

const encoder = new TextEncoder();
const FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";

/** Writes a line to standard error. */
export function note(text: string): void {
  Deno.stderr.writeSync(encoder.encode(text + "\n"));
}

/** A running step. On a terminal the line moves; elsewhere it is repeated every 15 seconds. */
export class Progress implements Disposable {
  readonly #start = performance.now();
  readonly #terminal = Deno.stderr.isTerminal();
  readonly #timer: ReturnType<typeof setInterval>;
  #detail = "";
  #frame = 0;
  #ended = false;

  constructor(readonly title: string) {
    if (!this.#terminal) note(`${title} …`);
    this.#timer = setInterval(() => this.#draw(), this.#terminal ? 100 : 15_000);
  }

  /** Seconds since the start. */
  get seconds(): number {
    return (performance.now() - this.#start) / 1000;
  }

  /** Replaces the text behind the title. */
  set detail(text: string) {
    this.#detail = text;
  }

  #draw(): void {
    const line = `${this.title} … ${this.seconds.toFixed(0)} s${this.#detail && ` · ${this.#detail}`}`;
    if (!this.#terminal) return note(line);
    this.#frame = (this.#frame + 1) % FRAMES.length;
    Deno.stderr.writeSync(encoder.encode(`\r${FRAMES[this.#frame]} ${line}\x1b[K`));
  }

  /** Ends the step with a last line. */
  end(text = `${this.title}: done in ${this.seconds.toFixed(1)} s`): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#timer);
    if (this.#terminal) Deno.stderr.writeSync(encoder.encode("\r\x1b[K"));
    note(text);
  }

  [Symbol.dispose](): void {
    this.end(`${this.title}: stopped after ${this.seconds.toFixed(1)} s`);
  }
}
