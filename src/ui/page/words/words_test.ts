import { assert, assertEquals } from "@std/assert";
import { en } from "./en.ts";
import { ja } from "./ja.ts";

/** All texts of a language by their paths. */
function textsOf(words: object, path = ""): [string, string][] {
  return Object.entries(words).flatMap(([name, value]) =>
    typeof value === "string"
      ? [[`${path}${name}`, value] as [string, string]]
      : textsOf(value, `${path}${name}.`)
  );
}

const placesIn = (text: string) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();
/** Names that are the same everywhere. */
const SAME = /^(places\.docs|samplingNames\.(top_p|top_k|min_p)|suggestions\.)/;

Deno.test("both languages have the same texts, with the same places for values", () => {
  const japanese = new Map(textsOf(ja));
  const english = textsOf(en);
  assert(english.length > 150);
  assertEquals([...japanese.keys()].sort(), english.map(([path]) => path).sort());
  for (const [path, text] of english) assertEquals(placesIn(japanese.get(path)!), placesIn(text), path);
});

Deno.test("no text is left in the other language", () => {
  for (const [path, text] of textsOf(ja)) {
    if (!SAME.test(path)) assert(/[ぁ-んァ-ヶ一-龠]/.test(text), `${path}: ${text}`);
  }
  for (const [path, text] of textsOf(en)) assert(!/[ぁ-んァ-ヶ一-龠]/.test(text), `${path}: ${text}`);
});
