/** @module */

/** A value that is made when it is first asked for. For what takes a while to make and not every program needs. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
