/** Ctrl-C as an AbortSignal. @module */

import { SignalCount } from "../process/signal_count.ts";

/**
 * While alive, Ctrl-C aborts `signal` instead of ending the program; a second one, a second later, ends it at
 * once.
 */
export interface Interrupt extends Disposable {
  readonly signal: AbortSignal;
}

/** Listens for SIGINT and SIGTERM until disposed. */
export function interruptible(): Interrupt {
  const controller = new AbortController();
  const count = new SignalCount();
  const onSignal = () => {
    const times = count.note();
    if (times === null) return;
    if (times > 1) Deno.exit(130);
    controller.abort(new DOMException("interrupted", "AbortError"));
  };
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
  for (const name of signals) Deno.addSignalListener(name, onSignal);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const name of signals) Deno.removeSignalListener(name, onSignal);
    },
  };
}
