/**
 * Masks say of every token what following it byte by byte says, whichever way they are found: whole subtrees of the vocabulary
 * at once, tokens that count, tokens that leave a string and go on behind it.
 */

import { assert, assertEquals } from "@std/assert";
import { randomSchema } from "../bench/support/schemas.ts";
import { Kernels } from "../src/ffi/context.ts";
import { type Grammar, TokenTable } from "../src/ffi/grammars.ts";
import { compileGrammar, type GrammarSource } from "../src/grammar/mod.ts";
import { randomFrom } from "../src/loadtest/random.ts";
import { randomTokens } from "./support/grammar.ts";

const SOURCES: readonly GrammarSource[] = [
  { kind: "schema", schema: { type: "string", maxLength: 7 } },
  { kind: "schema", schema: { type: "string", minLength: 2, pattern: "^.{1,12}$" } },
  { kind: "schema", schema: { type: "string", pattern: "^([a-z]+[ -]){2,9}$" } },
  { kind: "schema", schema: { type: "string", pattern: "日|é+x?$" } },
  { kind: "schema", schema: { type: "array", items: { type: "string", format: "uri" } } },
  { kind: "schema", schema: { type: "object", additionalProperties: { type: "string" } } },
  { kind: "regex", pattern: "[^x]{3,20}x[a-c語]*" },
  { kind: "gbnf", grammar: 'root ::= [^"\\n]{2,5} ("-" | [a-z]+ [^a]* )' },
];

Deno.test("masks allow exactly the tokens that can be followed", () => {
  using kernels = Kernels.open({ threads: 1, workspaceBytes: 64 });
  const random = randomFrom(5);
  const tokens = randomTokens(random, 2000);
  const end = tokens.length;
  const vocabulary = kernels.createVocabulary(TokenTable.of([...tokens, new Uint8Array()]));
  const schemas = Array.from({ length: 40 }, (): GrammarSource => ({
    kind: "schema",
    schema: randomSchema(random),
  }));
  let states = 0;
  for (const source of [...SOURCES, ...SOURCES, ...schemas]) {
    using grammar = kernels.createGrammar(vocabulary, compileGrammar(source), [end]);
    states += walk(grammar, tokens, random, `${JSON.stringify(source)}`);
  }
  assert(states > 500, `${states}`);
});

/** Takes random tokens, one of which is often short: counts the places at which all tokens were compared. */
function walk(grammar: Grammar, tokens: readonly Uint8Array[], random: () => number, about: string): number {
  let state = grammar.start();
  for (let step = 0; step < 20; step++) {
    const mask = grammar.mask(state);
    const allowed = (id: number) => (mask[id >> 5] >>> (id & 31) & 1) === 1;
    const next = tokens.map((bytes, id) => bytes.length === 0 ? undefined : grammar.accept(state, id).state);
    const wrong = tokens.flatMap((bytes, id) =>
      allowed(id) === (next[id] !== undefined) ? [] : [`${allowed(id)}: ${bytes}`]
    );
    assertEquals(wrong, [], `after ${step} tokens of ${about}`);
    assertEquals(allowed(tokens.length), grammar.info(state).mayEnd);
    const fitting = tokens.map((_, id) => id).filter(allowed);
    const few = random() < 0.6 ? fitting.filter((id) => tokens[id].length < 3) : fitting;
    const from = few.length > 0 ? few : fitting;
    if (from.length === 0) return step + 1;
    state = next[from[Math.floor(random() * from.length)]]!;
  }
  return 20;
}
