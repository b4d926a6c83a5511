/** Grammars of requests, compiled once. @module */

import { compileGrammar, type GrammarSource, type GrammarSpec } from "../grammar/mod.ts";
import { type Thoughts, withThoughts } from "../grammar/thoughts/with_thoughts.ts";

/** Grammars that are kept, and the longest text of one that is. */
const KEPT = 64;
const KEY_LENGTH_MAX = 1 << 18;
const known = new Map<string, Uint32Array<ArrayBuffer>>();

/** What an answer must be, as the engine takes it. Throws a GrammarError that says what is wrong. */
export function compiledGrammar(
  spec: GrammarSpec,
  thoughts?: Thoughts,
): { grammar: Uint32Array<ArrayBuffer>; grammarThinks?: true } {
  if (spec.kind === "compiled") return { grammar: spec.words, ...spec.thinks && { grammarThinks: true } };
  const source = withThoughts(spec, thoughts);
  return { grammar: wordsOf(source), ...source.kind === "thoughts" && { grammarThinks: true } };
}

function wordsOf(spec: GrammarSource): Uint32Array<ArrayBuffer> {
  const key = JSON.stringify(spec);
  const before = known.get(key);
  const words = before ?? compileGrammar(spec);
  known.delete(key);
  if (key.length <= KEY_LENGTH_MAX) known.set(key, words);
  if (known.size > KEPT) known.delete(known.keys().next().value!);
  return words;
}
