/** What a thread asks of the system for itself. @module */

import { Library } from "./library.ts";

/**
 * Lets other threads go before the calling one from now on: for work that nobody should notice. Returns whether the system does
 * that; where the library cannot be had it does not.
 */
export function giveWay(): boolean {
  return ask("kumi_thread_give_way");
}

/**
 * Gives the calling thread only the time that no other wants, for the rest of its life: for long work, whose share of a processor
 * others would notice, however small. Returns as {@linkcode giveWay}.
 */
export function standBack(): boolean {
  return ask("kumi_thread_stand_back");
}

function ask(what: "kumi_thread_give_way" | "kumi_thread_stand_back"): boolean {
  try {
    const library = Library.acquire();
    try {
      return library.symbols[what]() === 1;
    } finally {
      library.release();
    }
  } catch {
    return false;
  }
}
