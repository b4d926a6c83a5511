/**
 * What shapes cost those who share a model: the speed of sequences that all follow schemas beside the same ones that follow
 * none, and the time between the tokens of a stream without a schema, among others with and without. In turns, A B A B.
 *
 * deno task run bench/shaped.ts MODEL.gguf [--sequences 32] [--tokens 96] [--rounds 3] [--threads N] [--hostile]
 *
 * With --hostile the others are not answers: schemas come in that are as bad as can be thought of, compiled in the server's way.
 * @module
 */

import process from "node:process";
import { parseArgs } from "@std/cli";
import { loadModel, type Model } from "../mod.ts";
import { renderTable } from "../src/cli/table.ts";
import { GrammarCompiler } from "../src/grammar/apart.ts";
import { compileGrammar, type GrammarSource } from "../src/grammar/mod.ts";
import { interval } from "../src/trial/statistics.ts";
import { ascending, quantile } from "../src/loadtest/quantile.ts";
import { HOSTILE_SCHEMAS } from "./support/hostile_schemas.ts";

const { _: [path], ...args } = parseArgs(Deno.args, {
  string: ["sequences", "tokens", "rounds", "threads"],
  boolean: ["hostile"],
  default: { sequences: "32", tokens: "96", rounds: "3" },
});
if (path === undefined) throw new RangeError("Give a GGUF file");
const sequences = Number(args.sequences), tokens = Number(args.tokens), rounds = Number(args.rounds);

/** A schema of its own for each sequence, whose answers do not end before they have enough tokens. */
function schemaOf(i: number): GrammarSource {
  const text = { type: "string", minLength: 20, maxLength: 200 };
  return {
    kind: "schema",
    schema: {
      type: "object",
      properties: {
        [`name_${i}`]: text,
        kind: { enum: ["first", "second", `other_${i}`] },
        count: { type: "integer", minimum: 0, maximum: 1000 + i },
        when: { type: "string", format: "date" },
        parts: {
          type: "array",
          minItems: tokens,
          items: {
            type: "object",
            properties: {
              label: text,
              weight: { type: "number" },
              path: { type: "string", pattern: "^(/[a-z0-9_]+)+$" },
            },
            required: ["label", "weight", "path"],
            additionalProperties: false,
          },
        },
      },
      required: [`name_${i}`, "kind", "count", "when", "parts"],
      additionalProperties: false,
    },
  };
}

const grammars = Array.from({ length: sequences }, (_, i) => ({
  kind: "compiled" as const,
  words: compileGrammar(schemaOf(i)),
}));

await using model = await loadModel(String(path), {
  threads: args.threads === undefined ? undefined : Number(args.threads),
  sequencesMax: sequences,
  speculation: "off", // random weights repeat themselves
  contextLength: 512,
  kvTokens: sequences * 512,
});

interface Round {
  readonly tokensPerSecond: number;
  /** Of this process, for each token. */
  readonly cpuMs: number;
  /** Ms between the tokens of the one stream without a schema. */
  readonly gaps: number[];
}

/** All sequences at once; `first`: the first of them that follows a schema. */
async function run(model: Model, first: number, seed: number): Promise<Round> {
  const times: number[] = [];
  const answer = (i: number) =>
    model.generate(`Item ${i}. This is a description of it as JSON:\n`, {
      maxTokens: tokens,
      seed: seed + i,
      temperature: 1,
      ignoreEnd: true,
      grammar: i >= first ? grammars[i] : undefined,
    });
  const began = performance.now(), cpuBefore = process.cpuUsage();
  const answers = Array.from({ length: sequences }, (_, i) => answer(i));
  const watched = (async () => {
    for await (const part of answers[0]) if (part !== "") times.push(performance.now());
  })();
  const results = await Promise.all(answers.map(({ result }) => result));
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  await watched;
  const made = results.reduce((sum, { usage }) => sum + usage.completionTokens, 0);
  // The first tokens come with the prompts of all others.
  return {
    tokensPerSecond: made / seconds,
    cpuMs: (user + system) / 1000 / made,
    gaps: times.slice(1).map((time, i) => time - times[i]).slice(2),
  };
}

/** One stream alone, while schemas are compiled as a server does, one after another, or none. */
async function beside(
  model: Model,
  schemas: readonly unknown[],
  seed: number,
): Promise<{ gaps: number[]; told: string[] }> {
  using compiler = new GrammarCompiler();
  const times: number[] = [];
  const answer = model.generate("Once upon a time", {
    maxTokens: 400,
    seed,
    temperature: 1,
    ignoreEnd: true,
  });
  let isOver = false;
  const told: string[] = [];
  const flood = (async () => {
    for (let i = 0; !isOver && schemas.length > 0; i++) {
      const schema = schemas[i % schemas.length];
      const message = await compiler.compile({ kind: "schema", schema }).then(
        (words) => `${words.length * 4} bytes`,
        (error) => String(error.message),
      );
      if (i < schemas.length) told.push(message.slice(0, 90));
    }
  })();
  for await (const part of answer) if (part !== "") times.push(performance.now());
  isOver = true;
  await flood;
  return { gaps: times.slice(1).map((time, i) => time - times[i]).slice(2), told };
}

const figures = (gaps: number[]) => {
  const sorted = ascending(gaps);
  return [0.5, 0.99].map((q) => quantile(sorted, q).toFixed(1));
};

if (args.hostile) {
  await beside(model, [], 0);
  const rows: string[][] = [];
  for (let round = 0; round < rounds; round++) {
    rows.push(["alone", ...figures((await beside(model, [], round)).gaps)]);
    const { gaps, told } = await beside(model, HOSTILE_SCHEMAS.map(({ make }) => make()), round);
    rows.push(["beside hostile schemas", ...figures(gaps)]);
    if (round === 0) {
      HOSTILE_SCHEMAS.forEach(({ name }, i) => console.log(`${name}: ${told[i] ?? "not reached"}`));
    }
  }
  console.log(renderTable(["", "ITL p50 ms", "p99"], rows));
} else {
  await run(model, 0, 0);
  const conditions = [["none follow schemas", sequences], ["all but one", 1], ["all", 0]] as const;
  const found = new Map<string, Round[]>(conditions.map(([name]) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    const turn = round % 2 === 0 ? conditions : conditions.toReversed();
    for (const [name, first] of turn) found.get(name)!.push(await run(model, first, 1000 * round));
  }
  const rows = conditions.map(([name]) => {
    const all = found.get(name)!;
    const speeds = all.map(({ tokensPerSecond }) => tokensPerSecond.toFixed(0)).join(" ");
    const median = quantile(ascending(all.map(({ tokensPerSecond }) => tokensPerSecond)), 0.5);
    const plain = found.get(conditions[0][0])!;
    const ratio = (read: (round: Round) => number) => {
      const { mean, low, high } = interval(all.map((each, i) => read(each) / read(plain[i])));
      return `${mean.toFixed(3)} (${low.toFixed(3)}–${high.toFixed(3)})`;
    };
    return [
      name,
      speeds,
      median.toFixed(0),
      ratio(({ tokensPerSecond }) => tokensPerSecond),
      ratio(({ cpuMs }) => cpuMs),
      ...figures(all.flatMap(({ gaps }) => gaps)),
    ];
  });
  console.log(
    renderTable(
      ["sequences", "tokens/s", "median", "ratio (95 %)", "CPU time's ratio", "ITL p50 ms", "p99"],
      rows,
    ),
  );
}
