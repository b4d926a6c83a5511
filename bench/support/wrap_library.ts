/** Functions of the kernel library with something around them. @module */

import { type KernelSymbols, Library } from "../../src/ffi/library.ts";

export type NativeFunction = (...args: unknown[]) => number;

/** Lets every library acquired from now on, until this is disposed of, have the functions that `wrap` makes of its own. */
export function wrapLibraries(wrap: (symbols: KernelSymbols) => KernelSymbols): Disposable {
  const acquire = Library.acquire;
  const wrapped = new WeakSet<Library>();
  Library.acquire = (path) => {
    const library = acquire(path);
    if (!wrapped.has(library)) {
      wrapped.add(library);
      Object.defineProperty(library, "symbols", { value: wrap(library.symbols) });
    }
    return library;
  };
  return { [Symbol.dispose]: () => void (Library.acquire = acquire) };
}
