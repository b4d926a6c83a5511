import { assertEquals, assertNotEquals } from "@std/assert";
import { inPrefixOrder, prefixKey, sharedCharacters } from "./prefix_order.ts";

const path = "/v1/chat/completions" as const;
const chat = (system: string, user: string, more: object = {}) =>
  prefixKey({
    path,
    body: { ...more, messages: [{ role: "system", content: system }, { role: "user", content: user }] },
  });
const rules = (letter: string) => letter.repeat(500);

Deno.test("inPrefixOrder() puts prompts together that begin alike, at every depth", () => {
  const entries = ["a", "b", "c"].flatMap((system) =>
    ["x", "y"].flatMap((user) =>
      [1, 2, 3].map((i) => ({ name: `${system}${user}${i}`, key: chat(rules(system), rules(user) + i) }))
    )
  );
  // Dealt out, so that neighbours have nothing in common.
  const dealt = entries.toSorted((a, b) => a.name.at(-1)!.localeCompare(b.name.at(-1)!));
  const ordered = inPrefixOrder(dealt).map(({ name }) => name);
  const runs = (depth: number) =>
    ordered.filter((name, i) => i === 0 || name.slice(0, depth) !== ordered[i - 1].slice(0, depth)).length;
  assertEquals([runs(1), runs(2)], [3, 6]);
});

Deno.test("inPrefixOrder() keeps the order of prompts that are the same", () => {
  const entries = [3, 1, 2].map((name) => ({ name, key: chat("s", "u") }));
  assertEquals(inPrefixOrder(entries).map(({ name }) => name), [3, 1, 2]);
});

Deno.test("prefixKey() looks at the fields in the order of prompts, whatever the order of the body's", () => {
  const messages = [{ role: "user", content: rules("u") }];
  const a = prefixKey({ path, body: { temperature: 0, messages, tools: [1] } });
  const b = prefixKey({ path, body: { tools: [1], messages, temperature: 1 } });
  assertEquals(a, b);
  assertNotEquals(a, prefixKey({ path, body: { tools: [2], messages } }));
});

Deno.test("sharedCharacters() tells how far two prompts are alike, in whole blocks", () => {
  const [a, b] = [chat(rules("a"), "one"), chat(rules("a"), "two")];
  const shared = sharedCharacters(a, b);
  assertEquals(shared % 64, 0);
  assertEquals(shared >= 500 && shared < 600, true, `${shared}`);
  assertEquals(sharedCharacters(a, chat(rules("b"), "one")) < 100, true);
});
