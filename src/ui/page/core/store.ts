/** A value that parts of the page look at together. @module */

import { useEffect, useState } from "preact/hooks";

/** A value with listeners. */
export class Store<T> {
  #value: T;
  readonly #listeners = new Set<() => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const listener of [...this.#listeners]) listener();
  }

  /** Returns what ends the listening. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** The value of a store; the component is drawn again when it changes. */
export function useStore<T>(store: Store<T>): T {
  const [value, setValue] = useState(store.value);
  useEffect(() => {
    setValue(() => store.value);
    return store.listen(() => setValue(() => store.value));
  }, [store]);
  return value;
}

/** A text that the browser keeps; where it keeps nothing, as long as the page is open. */
export function keptStore<T extends string>(storage: () => Storage, name: string, fallback: T): Store<T> {
  let kept: string | null = null;
  try {
    kept = storage().getItem(name);
  } catch {
    // Storage is closed to the page, as in some private windows.
  }
  const store = new Store((kept ?? fallback) as T);
  store.listen(() => {
    try {
      if (store.value === fallback) storage().removeItem(name);
      else storage().setItem(name, store.value);
    } catch {
      // As above.
    }
  });
  return store;
}
