/** Objects and tools in the library, with the demo model. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { z } from "zod";
import { GrammarError, loadModel, ObjectError, type PartialObject, tool } from "../mod.ts";

const ASKED = [{ role: "user", content: "Anna is 31. As JSON:" }];
const PERSON = z.object({
  name: z.string().max(12),
  age: z.number().int().min(0).max(150),
  tags: z.array(z.enum(["a", "b"])).max(2).optional(),
});
type Person = z.infer<typeof PERSON>;

Deno.test("generateObject() and chat() with tools", async (t) => {
  await using model = await loadModel("demo", { threads: 1 });

  await t.step("objects fit whatever the seed, whole and in parts", async () => {
    for (let seed = 0; seed < 4; seed++) {
      const answer = model.generateObject(ASKED, PERSON, {
        temperature: 1.5,
        seed,
        tellSchema: seed % 2 === 0,
      });
      const parts: PartialObject<Person>[] = [];
      for await (const part of answer) parts.push(part);
      const { object, text, finishReason } = await answer.result;
      assertEquals([PERSON.parse(object), finishReason], [object, "stop"]);
      assertEquals([parts.at(-1), JSON.parse(text)], [object, object]);
    }
  });

  await t.step("the schema's own checks and transforms count", async () => {
    const upper = z.object({
      name: z.string().max(5).transform((name) => name.toUpperCase()),
      tag: z.string().default("x"),
    });
    const { object } = await model.generateObject(ASKED, upper, { temperature: 1, seed: 1 }).result;
    assertEquals(object.name, object.name.toUpperCase());
    assert(object.tag.length >= 0);
    const never = z.object({ name: z.string().max(5).refine(() => false, "never right") });
    const error = await assertRejects(
      () => model.generateObject(ASKED, never, { seed: 1 }).result,
      ObjectError,
      "name: never right",
    );
    assertEquals(error.issues.length, 1);
    await assertRejects(() => Array.fromAsync(model.generateObject(ASKED, never, { seed: 1 })), ObjectError);
  });

  await t.step("plain JSON Schema, with the schema in the prompt or not", async () => {
    const schema = {
      type: "object",
      properties: { n: { type: "integer", minimum: 1, maximum: 9 } },
      required: ["n"],
    };
    const told = await model.generateObject<{ n: number }>(ASKED, schema, { seed: 2 }).result;
    const untold = await model.generateObject<{ n: number }>(ASKED, schema, { seed: 2, tellSchema: false })
      .result;
    assert(told.object.n >= 1 && untold.object.n <= 9);
    assert(told.usage.promptTokens > untold.usage.promptTokens + 20);
  });

  await t.step("an answer that is cut, or aborted, is no object", async () => {
    const cut = model.generateObject(ASKED, PERSON, { maxTokens: 2, temperature: 0 });
    const error = await assertRejects(
      () => cut.result,
      ObjectError,
      'after 2 tokens: finishReason is "length"',
    );
    assertEquals([error.finishReason, error.text.startsWith("{")], ["length", true]);
    const reason = new Error("enough");
    const controller = new AbortController();
    const list = { type: "array", items: { type: "integer" }, minItems: 100 };
    const long = model.generateObject(ASKED, list, { signal: controller.signal });
    const failed = assertRejects(() => long.result, Error, "enough");
    for await (const _ of model.generateObject(ASKED, list)) break;
    controller.abort(reason);
    await failed;
  });

  await t.step("what cannot be is said at once", () => {
    assertThrows(() => model.generateObject(ASKED, z.object({ at: z.date() })), TypeError, "says zod");
    assertThrows(() => model.generateObject(ASKED, { not: { pattern: "a" } }), GrammarError);
    assertThrows(() => model.generateObject(ASKED, PERSON, { grammar: {} } as never), TypeError, '"grammar"');
    assertThrows(() => model.chat(ASKED, { tools: { f: { execute: 3 } } } as never), TypeError, "f.execute");
    assertThrows(() => model.chat(ASKED, { tools: { f: {} }, maxRounds: 0 }), RangeError, "maxRounds");
    assertThrows(
      () => model.chat(ASKED, { tools: { f: { parameters: { not: { pattern: "a" } } } } }),
      GrammarError,
      'tool "f"',
    );
  });

  await t.step("the model calls tools with arguments that fit, and goes on with what they gave", async () => {
    const seen: number[] = [];
    const add = tool({
      description: "Adds two numbers.",
      parameters: z.object({ a: z.number().int().min(0).max(99), b: z.number().int().min(0).max(99) }),
      execute: ({ a, b }) => {
        seen.push(a, b);
        return a + b;
      },
    });
    const chat = model.chat([{ role: "user", content: "What is 17 + 25?" }], {
      tools: { add },
      toolChoice: { name: "add" },
      parallelToolCalls: false,
      maxRounds: 2,
      maxTokens: 60,
      temperature: 0,
    });
    const { calls: [{ arguments: given, output }], messages, rounds } = await chat.result;
    assertEquals([Object.values(given as object), output], [seen, seen[0] + seen[1]]);
    assertEquals(messages.slice(0, 2).map(({ role }) => role), ["assistant", "tool"]);
    assertEquals(rounds.length, 2);
  });

  await t.step("without tools by name a chat is what it was", async () => {
    const asked = [{ role: "user", content: "What is 17 + 25?" }];
    const plain = await model.chat(asked, { temperature: 0 }).result;
    assertEquals(plain.text, "17 + 25 = 42.");
    const add = { type: "function", function: { name: "add" } } as const;
    const declared = await model.chat(asked, { temperature: 0, tools: [add] }).result;
    assert(declared.usage.promptTokens > plain.usage.promptTokens);
  });
});
