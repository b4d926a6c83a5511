/** Prompts of the kinds that speculation is measured with. @module */

import type { GenerationOptions } from "../../mod.ts";
import { ROOT } from "../../src/setup/paths.ts";
import { Random } from "../../scheduler/testing/random.ts";

/** What is asked, as a conversation of one message or as a text to go on with. */
export interface SpeculationPrompt {
  readonly text: string;
  readonly isChat: boolean;
  readonly options: GenerationOptions;
}

/** Makes prompt `i` of a kind. */
type Maker = (i: number) => SpeculationPrompt;

const SPEC_BENCH = new URL("../../../shared/data/prompts/spec_bench_question.jsonl", import.meta.url);
/** Longer texts are cut: small models have short contexts. */
const TEXT_CHARACTERS = 3000;
const NAMES = ["Anna", "Bela", "Chiyo", "David", "Elena", "Farid", "Grace", "Hiro", "Ines", "Jonas"];
const CITIES = ["Lisbon", "Kyoto", "Oslo", "Quito", "Cairo", "Dublin", "Hanoi", "Turin", "Perth", "Lagos"];
const TRADES = ["baker", "teacher", "pilot", "nurse", "printer", "carpenter", "chemist", "farmer", "tailor"];
const THINGS = ["a lost key", "a talking clock", "the last train", "a green boat", "two moons", "an old map"];
const PLACES = [
  "in a harbour town",
  "on a mountain",
  "under the sea",
  "in a library at night",
  "far in the north",
];

/** Questions of Spec-Bench, where its file is beside the checkout. */
function specBench(categories: readonly string[]): string[] {
  try {
    return Deno.readTextFileSync(SPEC_BENCH).trim().split("\n").map((line) => JSON.parse(line))
      .filter(({ category }) => categories.includes(category))
      .map(({ turns }) => String(turns[0]).slice(0, TEXT_CHARACTERS));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Sentences about made-up people: something to summarise, or to read facts from. */
function report(seed: number, sentences: number): string {
  const random = new Random(seed);
  const of = <T>(all: readonly T[]) => random.pick([...all]);
  const next = (limit: number) => random.int(0, limit - 1);
  return Array.from({ length: sentences }, () => {
    const name = of(NAMES), age = 20 + next(60);
    return [
      `${name}, ${age}, is a ${of(TRADES)} from ${of(CITIES)} and has ${next(5)} children.`,
      `In ${1980 + next(40)} ${name} moved to ${of(CITIES)} and worked there as a ${of(TRADES)}.`,
      `${name} met ${of(NAMES)} in ${of(CITIES)}, where they opened a shop with ${2 + next(9)} others.`,
    ][next(3)];
  }).join(" ");
}

const user = (text: string, options: GenerationOptions = {}): SpeculationPrompt => ({
  text,
  isChat: true,
  options,
});
const pick = (all: readonly string[], i: number, otherwise: (i: number) => string) =>
  all.length > 0 ? all[i % all.length] : otherwise(i);

/** Functions of this repository, a page each. */
function sources(): string[] {
  const folder = `${ROOT}/scheduler`;
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => name.endsWith(".ts") && !name.endsWith("_test.ts")).sort();
  return names.map((name) => Deno.readTextFileSync(`${folder}/${name}`).slice(0, 1500));
}

const PERSON = {
  type: "object",
  properties: {
    name: { type: "string", maxLength: 20 },
    age: { type: "integer", minimum: 0, maximum: 120 },
    trade: { type: "string", maxLength: 20 },
    city: { type: "string", maxLength: 20 },
  },
  required: ["name", "age", "trade", "city"],
  additionalProperties: false,
};

/** Five kinds of work, by name. */
export function promptKinds(): Readonly<Record<string, Maker>> {
  const summaries = specBench(["summarization"]);
  const chats = specBench(["writing", "roleplay", "reasoning", "stem", "humanities"]);
  const code = sources();
  const schema = { type: "array", items: PERSON, minItems: 3, maxItems: 6 };
  return {
    "summarising": (i) => user(pick(summaries, i, () => `Summarize: ${report(i, 24)}`)),
    "editing code": (i) =>
      user(
        `Add a comment above each function of this file. Answer with the whole file.\n\n${
          code[i % code.length]
        }`,
      ),
    "JSON extraction": (i) =>
      user(`List all people of this text as JSON.\n\n${report(100 + i, 8)}`, {
        grammar: { kind: "schema", schema },
      }),
    "chat": (i) =>
      user(
        pick(
          chats,
          i,
          (n) => `What should somebody know who moves to ${CITIES[n % 10]} with ${THINGS[n % 6]}?`,
        ),
      ),
    "free story": (i) => ({
      text: `A story about ${THINGS[i % THINGS.length]} ${PLACES[i % PLACES.length]}, part ${i}.\n\n`,
      isChat: false,
      options: { temperature: 1, topP: 1, topK: 0, minP: 0, ignoreEnd: true },
    }),
  };
}
