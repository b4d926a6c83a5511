/** On a terminal, a key that opens the page of a server in the browser. @module */

import type { Environment } from "../hub/cache.ts";
import { findOnPath } from "../process/path_search.ts";
import { printNote } from "../process/print.ts";

/** What opens an address, by system. */
const OPENERS: Readonly<Record<string, string>> = { darwin: "open", windows: "explorer", linux: "xdg-open" };

/** The terminal, as far as it is needed. */
export interface Keyboard {
  isTerminal(): boolean;
  setRaw(mode: boolean, options?: { cbreak: boolean }): void;
  read(buffer: Uint8Array): Promise<number | null>;
}

/**
 * The program that opens the page, for those who have a terminal to press a key on and a screen to see it; null
 * where it is not there.
 */
export function pageOpener(
  env: Environment,
  keyboard: Pick<Keyboard, "isTerminal"> = Deno.stdin,
): string | null {
  const name = OPENERS[Deno.build.os];
  const hasScreen = Deno.build.os !== "linux" || [env("DISPLAY"), env("WAYLAND_DISPLAY")].some(Boolean);
  if (name === undefined || !hasScreen || !keyboard.isTerminal()) return null;
  return findOnPath(name, env("PATH") ?? "") === undefined ? null : name;
}

/**
 * Says `press o to open` and waits for that key until disposed, without keeping the process. Ctrl-C stays what it
 * is. `open` is called each time.
 */
export function offerToOpen(open: () => void, keyboard: Keyboard = Deno.stdin): Disposable {
  let isOver = false;
  const follow = async () => {
    const buffer = new Uint8Array(16);
    while (!isOver) {
      const count = await keyboard.read(buffer);
      if (count === null || isOver) return;
      if (buffer.subarray(0, count).includes("o".charCodeAt(0))) open();
    }
  };
  keyboard.setRaw(true, { cbreak: true });
  printNote("kumi: press o to open it in the browser");
  follow().catch(() => {});
  return {
    [Symbol.dispose]() {
      isOver = true;
      keyboard.setRaw(false);
    },
  };
}

/** Opens an address with a program of {@linkcode pageOpener}; what goes wrong is said. */
export function openWith(program: string, url: string): void {
  try {
    const child = new Deno.Command(program, { args: [url], stdin: "null", stdout: "null", stderr: "null" })
      .spawn();
    child.unref();
  } catch (error) {
    printNote(`kumi: ${program} could not open ${url}: ${(error as Error).message}`);
  }
}
