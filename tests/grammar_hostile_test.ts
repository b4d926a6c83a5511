/** Schemas that ask for as much as they can: each is refused by a sentence or compiled, and the compiler lives on. */

import { assert, assertEquals } from "@std/assert";
import { HOSTILE_SCHEMAS } from "../bench/support/hostile_schemas.ts";
import { GrammarCompiler } from "../src/grammar/apart.ts";
import { GrammarError } from "../src/grammar/mod.ts";
import { TextGrammars } from "./support/grammar.ts";

/** 64 MB of words are the most that the library takes. */
const WORDS_MAX = 16 << 20;
const SMALL = { kind: "schema", schema: { type: "boolean" } } as const;

Deno.test("hostile schemas are refused or compiled, and others after them", async (t) => {
  using compiler = new GrammarCompiler();
  await compiler.compile(SMALL);
  for (const { name, make } of HOSTILE_SCHEMAS) {
    await t.step(name, async () => {
      const words = await compiler.compile({ kind: "schema", schema: make() }).catch((error) => {
        assert(error instanceof GrammarError, `${error}`);
        assert(error.message.length < 400, error.message.slice(0, 500));
        return null;
      });
      if (words !== null) {
        assert(words.length < WORDS_MAX, `${words.length} words`);
        using grammars = new TextGrammars();
        using grammar = grammars.open({ kind: "compiled", words } as never);
        assert(grammar.info(grammar.start()).bytes < 64 << 20);
      }
      assert((await compiler.compile(SMALL)).length > 0);
    });
  }
});

Deno.test("no other grammar waits for one that takes long", async () => {
  using compiler = new GrammarCompiler();
  await compiler.compile(SMALL);
  const done: string[] = [];
  const compile = (name: string, schema: unknown) =>
    compiler.compile({ kind: "schema", schema }).then(() => done.push(name), () => done.push(`no ${name}`));
  const long = HOSTILE_SCHEMAS.filter(({ name }) =>
    name.startsWith("anyOf in allOf") || name.startsWith("pattern (")
  );
  assertEquals(long.length, 3);
  await Promise.all([
    ...long.map(({ name, make }) => compile(name, make())),
    ...["a", "b", "c"].map((name) => compile(name, { const: name })),
  ]);
  assertEquals(done, ["a", "b", "c", ...long.map(({ name }) => `no ${name}`)]);
});

Deno.test("many grammars that were never seen before are compiled one after another", async () => {
  using compiler = new GrammarCompiler();
  const sizes = await Promise.all(
    Array.from(
      { length: 200 },
      (_, i) => compiler.compile({ kind: "schema", schema: { properties: { [`p${i}`]: { type: "null" } } } }),
    ),
  );
  assertEquals(sizes.filter((words) => words.length === 0), []);
});
