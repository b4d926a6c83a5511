/** Child processes: captured ones for tools, and one in the foreground for the command itself. @module */

export { capture, type Captured, type CaptureOptions } from "../process/capture.ts";

const FORWARDED: Deno.Signal[] = Deno.build.os === "windows" ? [] : ["SIGTERM", "SIGHUP"];

/**
 * Runs a command in the foreground with this process's input and output and resolves to its exit status (128
 * + n after signal n). This process never ends before the command: the terminal already sends Ctrl-C to both,
 * so here it is ignored and the command decides; an interrupt from elsewhere, and SIGTERM and SIGHUP, are
 * passed on. `stop` sends SIGTERM where none of them came before.
 */
export async function foreground(
  command: readonly string[],
  options: { cwd?: string; env?: Record<string, string>; stop?: AbortSignal } = {},
): Promise<number> {
  const { stop, ...how } = options;
  const child = new Deno.Command(command[0], {
    args: command.slice(1),
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
    ...how,
  }).spawn();
  let isEnding = false;
  const pass = (signal: Deno.Signal) => () => {
    // A server goes on after this one.
    isEnding ||= signal !== "SIGHUP";
    try {
      child.kill(signal);
    } catch {
      // it has just ended
    }
  };
  const handlers = new Map(FORWARDED.map((signal) => [signal, pass(signal)]));
  handlers.set("SIGINT", Deno.stdin.isTerminal() ? () => isEnding = true : pass("SIGINT"));
  for (const [signal, handler] of handlers) Deno.addSignalListener(signal, handler);
  const onStop = () => {
    if (!isEnding) pass("SIGTERM")();
  };
  stop?.addEventListener("abort", onStop);
  try {
    const status = await child.status;
    return status.code;
  } finally {
    stop?.removeEventListener("abort", onStop);
    for (const [signal, handler] of handlers) Deno.removeSignalListener(signal, handler);
  }
}

/** An AbortSignal that fires on Ctrl-C and SIGTERM, until disposed. */
export class Interruption implements Disposable {
  readonly #controller = new AbortController();
  readonly #signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
  readonly #stop = () => this.#controller.abort(new DOMException("interrupted", "AbortError"));

  constructor() {
    for (const signal of this.#signals) Deno.addSignalListener(signal, this.#stop);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    for (const signal of this.#signals) Deno.removeSignalListener(signal, this.#stop);
  }
}
