/** What a thread asks of the system for itself. @module */

import { Library } from "./library.ts";

/**
 * Lets other threads go before the calling one from now on: for work that nobody should notice. Returns whether the system does
 * that; where the library cannot be had it does not.
 */
export function giveWay(): boolean {
  try {
    const library = Library.acquire();
    try {
      return library.symbols.kumi_thread_give_way() === 1;
    } finally {
      library.release();
    }
  } catch {
    return false;
  }
}
