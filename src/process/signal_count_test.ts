import { assertEquals } from "@std/assert";
import { SignalCount } from "./signal_count.ts";

Deno.test("SignalCount counts what comes within a second once", () => {
  let now = 5000;
  const signals = new SignalCount(() => now);
  const at = (ms: number) => {
    now = 5000 + ms;
    return signals.note();
  };
  // Ctrl-C as three processes pass it on, then a person who means it: not a second after the last echo, after
  // the first.
  assertEquals([0, 1, 40, 999].map(at), [1, null, null, null]);
  assertEquals([1000, 1500, 2100].map(at), [2, null, 3]);
});
