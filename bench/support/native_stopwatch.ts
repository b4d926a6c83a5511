/** A stopwatch around every native function, in benchmarks and not in the product. @module */

import { type KernelSymbols, Library } from "../../src/ffi/library.ts";
import { activationForms } from "../../src/ffi/symbols.ts";
import { type NativeFunction, wrapLibraries } from "./wrap_library.ts";

/** Time in native functions since the last reset. */
export class NativeStopwatch {
  /** Milliseconds by function. */
  readonly msOf: Map<string, number> = new Map();
  ms = 0;
  calls = 0;

  reset(): void {
    this.msOf.clear();
    this.ms = 0;
    this.calls = 0;
  }

  /** Lets every library opened from now on go through the stopwatch. */
  install(): void {
    wrapLibraries((symbols) => this.#wrap(symbols));
  }

  /** Milliseconds that it adds to a step per call and does not count itself. */
  costMs(): number {
    const nothing = this.#wrapOne("nothing", () => 0);
    const rounds = 200_000;
    this.reset();
    const started = performance.now();
    for (let i = 0; i < rounds; i++) nothing(0, 2048);
    return (performance.now() - started - this.ms) / rounds;
  }

  /** The same functions, timed. */
  #wrap(symbols: KernelSymbols): KernelSymbols {
    const timed = Object.entries(symbols).map((
      [name, call],
    ) => [name, this.#wrapOne(name, call as NativeFunction)]);
    return Object.fromEntries(timed);
  }

  #wrapOne(name: string, call: NativeFunction): NativeFunction {
    return (...args) => {
      const started = performance.now();
      const status = call(...args);
      const ms = performance.now() - started;
      this.ms += ms;
      this.calls++;
      this.msOf.set(name, (this.msOf.get(name) ?? 0) + ms);
      return status;
    };
  }
}

/** Milliseconds of one call that does next to nothing. */
export function crossingMs(): number {
  const library = Library.acquire();
  const { kumi_activation_bytes: call } = library.symbols;
  const rounds = 1_000_000;
  let best = Infinity;
  for (let i = 0; i < 5; i++) {
    const started = performance.now();
    for (let j = 0; j < rounds; j++) call(activationForms.per32, 1, 2048);
    best = Math.min(best, (performance.now() - started) / rounds);
  }
  library.release();
  return best;
}
