/** Requests that wait for a model. @module */

import { clientLeft } from "../presence.ts";

export interface WaitOptions<T> {
  /** What it is counted under. */
  readonly key: string;
  readonly waitMs: number;
  /** What it gets, at once when there is something to get. */
  readonly take: () => T;
  /** It waits no longer, and has got nothing. */
  readonly leave: () => void;
  /** What it waited in vain with. */
  readonly late: () => Error;
  /** Calls the listener when nobody waits any more; gives what ends that. */
  readonly onLeft?: (listener: () => void) => () => void;
}

interface Waiter {
  readonly key: string;
  readonly open: () => void;
  readonly fail: (error: Error) => void;
}

/** As long as timers go. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** In the order in which they came. */
export class Waiters<T> {
  readonly #all = new Set<Waiter>();

  /** How many of a key wait. */
  count(key: string): number {
    let count = 0;
    for (const each of this.#all) if (each.key === key) count++;
    return count;
  }

  /** Resolves to what `take()` gives; rejects with `late()` after `waitMs`, or where the client has left. */
  wait({ key, waitMs, take, leave, late, onLeft }: WaitOptions<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const forgets: (() => void)[] = [];
    let isOver = false;
    const end = (settle: () => void) => {
      if (isOver) return;
      isOver = true;
      this.#all.delete(waiter);
      clearTimeout(timer);
      for (const forget of forgets) forget();
      settle();
    };
    const fail = (error: Error) =>
      end(() => {
        leave();
        reject(error);
      });
    const waiter: Waiter = { key, open: () => end(() => resolve(take())), fail };
    this.#all.add(waiter);
    const timer = setTimeout(() => fail(late()), Math.min(Math.max(0, waitMs), TIMER_MS_MAX));
    const forget = onLeft?.(() => fail(clientLeft()));
    if (forget === undefined) return promise;
    // It may have left already.
    if (isOver) forget();
    else forgets.push(forget);
    return promise;
  }

  openAll(): void {
    for (const { open } of [...this.#all]) open();
  }

  failAll(error: Error): void {
    for (const { fail } of [...this.#all]) fail(error);
  }
}
