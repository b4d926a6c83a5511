/** How much is on its way at the same time. */
export class InFlight {
  readonly #parallel: number;
  readonly #tokensMax: number;
  #count = 0;
  #tokens = 0;
  #wake: (() => void) | null = null;

  /** At most `parallel`, with at most `tokensMax` tokens together; one always may go, however large. */
  constructor({ parallel, tokensMax }: { readonly parallel: number; readonly tokensMax: number }) {
    this.#parallel = parallel;
    this.#tokensMax = tokensMax;
  }

  /** Resolves when there is room for another one with so many tokens. One asks at a time. */
  async room(tokens: number): Promise<void> {
    while (!this.#fits(tokens)) await new Promise<void>((resolve) => this.#wake = resolve);
  }

  /** Resolves when nothing is on its way. */
  async idle(): Promise<void> {
    while (this.#count > 0) await new Promise<void>((resolve) => this.#wake = resolve);
  }

  enter(tokens: number): void {
    this.#count++;
    this.#tokens += tokens;
  }

  leave(tokens: number): void {
    this.#count--;
    this.#tokens -= tokens;
    this.#wake?.();
    this.#wake = null;
  }

  #fits(tokens: number): boolean {
    return this.#count === 0 || (this.#count < this.#parallel && this.#tokens + tokens <= this.#tokensMax);
  }
}
