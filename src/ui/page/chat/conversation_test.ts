import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  contentOf,
  newConversation,
  shownTurns,
  siblings,
  type Turn,
  turnsBefore,
  withChoice,
  withTurn,
} from "./conversation.ts";
import { exportText, importText } from "./exchange.ts";

const turn = (id: string, parent: string | null, role: Turn["role"], at: number): Turn => ({
  ...{ id, parent, role, at, text: `text of ${id}`, state: "done" },
});

const TURNS = [
  turn("q1", null, "user", 1),
  turn("a1", "q1", "assistant", 2),
  turn("q2", "a1", "user", 3),
  turn("a2", "q2", "assistant", 4),
  turn("q2b", "a1", "user", 5),
];

Deno.test("a message in place of another begins a branch, and the other one stays", () => {
  const conversation = TURNS.reduce(withTurn, newConversation(0));
  const ids = (turns: readonly Turn[]) => turns.map(({ id }) => id);
  assertEquals(ids(shownTurns(conversation)), ["q1", "a1", "q2b"]);
  assertEquals(ids(siblings(conversation, TURNS[4])), ["q2", "q2b"]);
  const back = withChoice(conversation, TURNS[2]);
  assertEquals(ids(shownTurns(back)), ["q1", "a1", "q2", "a2"]);
  assertEquals(ids(turnsBefore(back, TURNS[3])), ["q1", "a1", "q2"]);
  assertEquals(conversation.title, "text of q1");
});

Deno.test("files stand before the message, in fences that they do not have", () => {
  const text = contentOf({ text: "Why?", files: [{ name: 'a".md', text: "```\ncode\n```" }] });
  assertEquals(text, '"a\\".md":\n````\n```\ncode\n```\n````\n\nWhy?');
});

Deno.test("what was exported is imported as it was; anything else is refused", () => {
  const conversation = TURNS.reduce(withTurn, newConversation(0));
  assertEquals(importText(exportText([conversation])), [conversation]);
  for (const text of ["{}", "[]", "null", '{"format":"kumi-conversations","conversations":[{}]}']) {
    assertThrows(() => importText(text), TypeError);
  }
  assertThrows(() => importText("no JSON"), SyntaxError);
});

Deno.test("a file with a circle of messages does not lead around for ever", () => {
  const conversation = TURNS.reduce(withTurn, newConversation(0));
  const circle = { ...conversation, chosen: { ...conversation.chosen, q2b: "q1" } };
  assertEquals(shownTurns(circle).length, 3);
  const own = { ...conversation.turns, q1: { ...TURNS[0], parent: "a1" } };
  assert(turnsBefore({ ...conversation, turns: own }, TURNS[4]).length < 10);
});
