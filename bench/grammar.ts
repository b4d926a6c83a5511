/**
 * What an answer's form costs: compiling schemas, and the masks of random walks through them, on the vocabulary of a model.
 *
 * deno task run bench/grammar.ts VOCABULARY.gguf [--schemas 1000] [--seed 1]
 *
 * The schemas are made by a generator: objects within objects, arrays, numbers with bounds, patterns, choices, as tools have
 * them. A walk takes a random token that the mask allows, seldom one of those that make texts longer.
 * @module
 */

import { parseArgs } from "@std/cli";
import { renderTable } from "../src/cli/table.ts";
import { Kernels } from "../src/ffi/context.ts";
import { TokenTable } from "../src/ffi/grammars.ts";
import { openGguf } from "../src/gguf/mod.ts";
import { compileGrammar } from "../src/grammar/mod.ts";
import { createTokenizer } from "../src/tokenizer/mod.ts";
import { tokenForm } from "../src/engine/constraints.ts";
import { randomSchema } from "./support/schemas.ts";
import { randomFrom } from "../src/loadtest/random.ts";

const { _: [path], ...args } = parseArgs(Deno.args, {
  string: ["schemas", "seed"],
  default: { schemas: "1000", seed: "1" },
});
if (typeof path !== "string") throw new RangeError("Give a GGUF file with a vocabulary");
const STEPS_MAX = 200, TRIES = 50;

using kernels = Kernels.open({ threads: 1, workspaceBytes: 64 });
using file = await openGguf(path);
const tokenizer = createTokenizer(file.metadata);
const ends = [...tokenizer.eogIds];
const started = performance.now();
using vocabulary = kernels.createVocabulary(
  TokenTable.of(Array.from({ length: tokenizer.vocabSize }, (_, id) => tokenForm(tokenizer, id))),
);
const vocabularyMs = performance.now() - started;

const all = Uint32Array.from({ length: tokenizer.vocabSize }, (_, id) => id);
const signs = all.filter((id) => /^[\]},":]+$/.test(tokenizer.tokenText(id)));
const random = randomFrom(Number(args.seed));
const compileMs: number[] = [], createMs: number[] = [], maskMs: number[] = [], acceptMs: number[] = [];
let tokens = 0, memory = 0;
for (let i = 0; i < Number(args.schemas); i++) {
  const schema = randomSchema(random);
  const t0 = performance.now();
  const words = compileGrammar({ kind: "schema", schema });
  const t1 = performance.now();
  using grammar = kernels.createGrammar(vocabulary, words, ends);
  let state: number | undefined = grammar.start();
  const t2 = performance.now();
  compileMs.push(t1 - t0);
  createMs.push(t2 - t1);
  for (let step = 0; step < STEPS_MAX && state !== undefined && !grammar.info(state).isEnd; step++) {
    const before = performance.now();
    const mask = grammar.mask(state);
    const after = performance.now();
    maskMs.push(after - before);
    const token = choose(mask);
    if (token === undefined || ends.includes(token)) break;
    const at = performance.now();
    const accepted: { state?: number } = grammar.accept(state, token);
    acceptMs.push(performance.now() - at);
    state = accepted.state;
    if (state === undefined) throw new Error(`Token ${token} was allowed and is not accepted`);
    tokens++;
  }
  if (state !== undefined) memory = Math.max(memory, grammar.info(state).bytes);
}

/** A token that the mask allows; often one that closes, so that texts end. */
function choose(mask: Uint32Array): number | undefined {
  const isAllowed = (id: number) => (mask[id >> 5] >>> (id & 31) & 1) === 1;
  const from = random() < 0.3 ? signs : all;
  for (let i = 0; i < TRIES; i++) {
    const id = from[Math.floor(random() * from.length)];
    if (isAllowed(id)) return id;
  }
  return all.find(isAllowed);
}

const quantile = (values: number[], q: number) =>
  values[Math.min(values.length - 1, Math.floor(q * values.length))];
const row = (name: string, values: number[]) => {
  values.sort((a, b) => a - b);
  return [name, ...[0.5, 0.99, 1].map((q) => `${(quantile(values, q) * 1000).toFixed(0)}`)];
};
console.log(
  `${tokenizer.vocabSize} tokens: trie in ${
    vocabularyMs.toFixed(0)
  } ms; ${args.schemas} schemas, ${tokens} tokens; largest memory ${(memory / 2 ** 20).toFixed(1)} MB`,
);
console.log(renderTable(["µs", "p50", "p99", "max"], [
  row("compile", compileMs),
  row("create and start", createMs),
  row("mask", maskMs),
  row("accept", acceptMs),
]));
