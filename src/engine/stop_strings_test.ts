import { assertEquals } from "@std/assert";
import { StopStringFilter } from "./stop_strings.ts";

function run(stops: string[], parts: string[]): { shown: string[]; stopped: boolean } {
  const filter = new StopStringFilter(stops);
  const shown: string[] = [];
  for (const part of parts) {
    const { text, stopped } = filter.push(part);
    shown.push(text);
    if (stopped) return { shown, stopped };
  }
  return { shown: [...shown, filter.flush()], stopped: false };
}

Deno.test("StopStringFilter passes text through when there are no stop strings", () => {
  assertEquals(run([], ["a", "b"]), { shown: ["a", "b", ""], stopped: false });
});

Deno.test("StopStringFilter holds back what may become a stop string, and no more", () => {
  assertEquals(run(["STOP"], ["xS", "T", "O", "x"]), { shown: ["x", "", "", "STOx", ""], stopped: false });
});

Deno.test("StopStringFilter stops across the borders of parts and shows nothing of the stop string", () => {
  assertEquals(run(["STOP"], ["abS", "TO", "Pzz"]), { shown: ["ab", "", ""], stopped: true });
});

Deno.test("StopStringFilter gives held text when the answer ends", () => {
  assertEquals(run(["\n\n"], ["end\n"]), { shown: ["end", "\n"], stopped: false });
});

Deno.test("StopStringFilter takes the earliest of several stop strings", () => {
  assertEquals(run(["world", "lo w"], ["hello world"]), { shown: ["hel"], stopped: true });
});

Deno.test("StopStringFilter handles repeated beginnings", () => {
  assertEquals(run(["aab"], ["aaaab"]), { shown: ["aa"], stopped: true });
  assertEquals(run(["aab"], ["a", "a", "a", "a", "b"]).shown.join(""), "aa");
});

Deno.test("StopStringFilter gives the same text however the parts are cut", () => {
  const text = "one two; three;; four;;;";
  for (const stops of [[";;;"], [";; ", "x"], ["zzz"]]) {
    const whole = run(stops, [text]).shown.join("");
    for (let size = 1; size < 6; size++) {
      const parts = Array.from(
        { length: Math.ceil(text.length / size) },
        (_, i) => text.slice(i * size, (i + 1) * size),
      );
      assertEquals(run(stops, parts).shown.join(""), whole);
    }
  }
});

Deno.test("StopStringFilter passes over stop strings that are complete before they count", () => {
  const filter = new StopStringFilter(["ab", "abcd"]);
  assertEquals(filter.push("xab", false), { text: "x", stopped: false });
  assertEquals(filter.push("c", false), { text: "", stopped: false });
  assertEquals(filter.push("x", true), { text: "abcx", stopped: false });
  assertEquals(filter.push("a", false), { text: "", stopped: false });
  // Begun before, complete after.
  assertEquals(filter.push("b", true), { text: "", stopped: true });
});
