import { assertEquals } from "@std/assert";
import { StopStringFilter } from "./stop_strings.ts";

function run(stops: string[], parts: string[]): { shown: string[]; stop?: string } {
  const filter = new StopStringFilter(stops);
  const shown: string[] = [];
  for (const part of parts) {
    const { text, stop } = filter.push(part);
    shown.push(text);
    if (stop !== undefined) return { shown, stop };
  }
  return { shown: [...shown, filter.flush()] };
}

Deno.test("StopStringFilter passes text through when there are no stop strings", () => {
  assertEquals(run([], ["a", "b"]), { shown: ["a", "b", ""] });
});

Deno.test("StopStringFilter holds back what may become a stop string, and no more", () => {
  assertEquals(run(["STOP"], ["xS", "T", "O", "x"]), { shown: ["x", "", "", "STOx", ""] });
});

Deno.test("StopStringFilter stops across the borders of parts and shows nothing of the stop string", () => {
  assertEquals(run(["STOP"], ["abS", "TO", "Pzz"]), { shown: ["ab", "", ""], stop: "STOP" });
});

Deno.test("StopStringFilter gives held text when the answer ends", () => {
  assertEquals(run(["\n\n"], ["end\n"]), { shown: ["end", "\n"] });
});

Deno.test("StopStringFilter takes the earliest of several stop strings", () => {
  assertEquals(run(["abc", "ab"], ["abc"]), { shown: [""], stop: "ab" });
  assertEquals(run(["world", "lo w"], ["hello world"]), { shown: ["hel"], stop: "lo w" });
});

Deno.test("StopStringFilter handles repeated beginnings", () => {
  assertEquals(run(["aab"], ["aaaab"]), { shown: ["aa"], stop: "aab" });
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
  assertEquals(filter.push("xab", false), { text: "x" });
  assertEquals(filter.push("c", false), { text: "" });
  assertEquals(filter.push("x", true), { text: "abcx" });
  assertEquals(filter.push("a", false), { text: "" });
  // Begun before, complete after.
  assertEquals(filter.push("b", true), { text: "", stop: "ab" });
});
