/**
 * What an answer's form costs: compiling schemas, and the masks of random walks through them, on the vocabulary of a model.
 *
 * deno task run bench/grammar.ts VOCABULARY.gguf [--schemas 1000] [--seed 1] [--runs 1]
 *
 * The schemas are made by a generator: objects within objects, arrays, numbers with bounds, patterns, choices, as tools have
 * them. A walk takes a random token that the mask allows, seldom one of those that make texts longer. With several runs, each with
 * nothing known, the shortest time of each piece of work counts: what the system did in between is no part of it.
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
  string: ["schemas", "seed", "runs"],
  default: { schemas: "1000", seed: "1", runs: "1" },
});
if (typeof path !== "string") throw new RangeError("Give a GGUF file with a vocabulary");
const STEPS_MAX = 200, TRIES = 50;

using kernels = Kernels.open({ threads: 1, workspaceBytes: 64 });
using file = await openGguf(path);
const tokenizer = createTokenizer(file.metadata);
const ends = [...tokenizer.eogIds];
const table = TokenTable.of(Array.from({ length: tokenizer.vocabSize }, (_, id) => tokenForm(tokenizer, id)));
const all = Uint32Array.from({ length: tokenizer.vocabSize }, (_, id) => id);
const signs = all.filter((id) => /^[\]},":]+$/.test(tokenizer.tokenText(id)));
let random = randomFrom(0);

/** Ms of each piece of work, in order; they are the same in every run. */
interface Times {
  readonly vocabulary: number[];
  readonly compile: number[];
  readonly create: number[];
  readonly mask: number[];
  readonly accept: number[];
}
let tokens = 0, memory = 0;

function run(): Times {
  random = randomFrom(Number(args.seed));
  const times: Times = { vocabulary: [], compile: [], create: [], mask: [], accept: [] };
  const timed = <T>(list: number[], work: () => T): T => {
    const before = performance.now();
    const result = work();
    list.push(performance.now() - before);
    return result;
  };
  using vocabulary = timed(times.vocabulary, () => kernels.createVocabulary(table));
  tokens = 0;
  for (let i = 0; i < Number(args.schemas); i++) {
    const schema = randomSchema(random);
    const words = timed(times.compile, () => compileGrammar({ kind: "schema", schema }));
    using grammar = timed(times.create, () => kernels.createGrammar(vocabulary, words, ends));
    let state = grammar.start();
    for (let step = 0; step < STEPS_MAX && !grammar.info(state).isEnd; step++) {
      const mask = timed(times.mask, () => grammar.mask(state));
      const token = choose(mask);
      if (token === undefined || ends.includes(token)) break;
      const accepted: { state?: number } = timed(times.accept, () => grammar.accept(state, token));
      if (accepted.state === undefined) throw new Error(`Token ${token} was allowed and is not accepted`);
      state = accepted.state;
      tokens++;
    }
    memory = Math.max(memory, grammar.info(state).bytes);
  }
  return times;
}

const runs = Array.from({ length: Number(args.runs) }, run);
const shortest = (name: keyof Times) =>
  runs[0][name].map((_, i) => Math.min(...runs.map((run) => run[name][i])));

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
    shortest("vocabulary")[0].toFixed(0)
  } ms; ${args.schemas} schemas, ${tokens} tokens; largest memory ${(memory / 2 ** 20).toFixed(1)} MB`,
);
console.log(renderTable(["µs", "p50", "p99", "max"], [
  row("compile", shortest("compile")),
  row("create", shortest("create")),
  row("mask", shortest("mask")),
  row("accept", shortest("accept")),
]));
