import { assertEquals } from "@std/assert";
import { type Keyboard, offerToOpen, pageOpener } from "./open_key.ts";

/** A terminal on which keys are pressed. */
function keyboardWith(keys: string): { keyboard: Keyboard; modes: boolean[]; read: Promise<void> } {
  const modes: boolean[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  let at = 0;
  const keyboard: Keyboard = {
    isTerminal: () => true,
    setRaw: (mode) => void modes.push(mode),
    read(buffer) {
      if (at === keys.length) {
        resolve();
        return Promise.resolve(null);
      }
      buffer[0] = keys.charCodeAt(at++);
      return Promise.resolve(1);
    },
  };
  return { keyboard, modes, read: promise };
}

Deno.test("offerToOpen() opens at o and at nothing else, and gives the terminal back", async () => {
  const { keyboard, modes, read } = keyboardWith("xoqO\no");
  let opened = 0;
  {
    using _offer = offerToOpen(() => opened++, keyboard);
    await read;
  }
  assertEquals([opened, modes], [2, [true, false]]);
});

Deno.test("pageOpener() has nothing to offer without a terminal, a screen or a program", () => {
  const terminal = { isTerminal: () => true };
  assertEquals(pageOpener(() => undefined, terminal), null);
  assertEquals(pageOpener((name) => name === "DISPLAY" ? ":0" : "/nowhere", terminal), null);
  assertEquals(pageOpener(() => ":0", { isTerminal: () => false }), null);
});
