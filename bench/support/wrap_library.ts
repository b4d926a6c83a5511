/** Functions of the kernel library with something around them. @module */

import { type KernelSymbols, Library } from "../../src/ffi/library.ts";

export type NativeFunction = (...args: unknown[]) => number;

/** Lets every library opened from now on have the functions that `wrap` makes of its own. */
export function wrapLibraries(wrap: (symbols: KernelSymbols) => KernelSymbols): void {
  const original = Object.getOwnPropertyDescriptor(Library.prototype, "symbols")!;
  const wrapped = new WeakMap<Library, KernelSymbols>();
  Object.defineProperty(Library.prototype, "symbols", {
    get(this: Library) {
      if (!wrapped.has(this)) wrapped.set(this, wrap(original.get!.call(this)));
      return wrapped.get(this);
    },
  });
}
