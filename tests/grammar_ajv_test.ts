/**
 * Grammars of schemas against Ajv: whatever a random walk through a grammar gives is valid there, and what is valid there is
 * taken. KUMI_FUZZ is how many random schemas there are.
 */

import { assert, assertEquals } from "@std/assert";
import type { Grammar } from "../src/ffi/grammars.ts";
import { GrammarError } from "../src/grammar/mod.ts";
import { randomFrom } from "../src/loadtest/random.ts";
import { ROOT } from "../src/setup/paths.ts";
import { loadAjv } from "./support/ajv.ts";
import { TextGrammars } from "./support/grammar.ts";
import { ORDERED_MAX, orders } from "./support/json_orders.ts";
import { mutated, randomJsonSchema, randomValue } from "./support/random_json_schema.ts";
import { groupsOf, hasSuite } from "./support/schema_suite.ts";

const ajv = await loadAjv();
const SCHEMAS = Number(Deno.env.get("KUMI_FUZZ") ?? 500);
const isWhole = SCHEMAS > 500;
const BYTES_MAX = 1500;
const skipped = ajv === null ? " (skipped: npm cannot be reached)" : "";

/** The grammar, null where a schema is refused by name; "never" where nothing fits. */
function open(grammars: TextGrammars, schema: unknown): Grammar | "never" | null {
  try {
    return grammars.open({ kind: "schema", schema });
  } catch (error) {
    if (!(error instanceof GrammarError)) throw error;
    return error.message.startsWith("No text at all") ? "never" : null;
  }
}

/** What Ajv takes and the standards do not, or what answers are documented not to be, by a word of the schema. */
const LAX: readonly (readonly [schema: RegExp, value: RegExp])[] = [
  // Names of hosts that end in a dot or have labels of more than 63 characters (RFC 1123), names before "@" of more than 64 (RFC 5321);
  // of four labels and more, answers have none above 24.
  [/"(hostname|email)"/, /\."|[^.@"]{64}|[^@"]{65}@|(?=[^"]*\.[^"]*\.[^"]*\.)[^"]*[^.@"]{25}/],
  // An offset without its colon: RFC 3339.
  [/"(date-)?time"/, /[+-]\d{4}"/],
  [/"duration"/, /\d{41}/],
  // Numbers with bounds have no exponents.
  [/imum"/, /\de[+-]?\d/],
];

function isLax(value: unknown, schema: unknown): boolean {
  const [told, text] = [JSON.stringify(schema), JSON.stringify(value)];
  return LAX.some(([word, part]) => word.test(told) && part.test(text));
}

/** Not all orders of so many members are tried: that none was taken says nothing. */
function isLarge(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const members = Object.values(value);
  return !Array.isArray(value) && members.length > ORDERED_MAX || members.some(isLarge);
}

function takes(grammar: Grammar | "never", value: unknown): boolean {
  if (grammar === "never") return false;
  return orders(value).some((each) => {
    const state = grammar.acceptBytes(grammar.start(), new TextEncoder().encode(each));
    return state !== undefined && grammar.info(state).mayEnd;
  });
}

Deno.test({
  name: `random schemas: what their grammars give is valid, what is valid is taken${skipped}`,
  ignore: ajv === null,
  fn() {
    using grammars = new TextGrammars();
    const seed = Number(Deno.env.get("KUMI_SEED") ?? 1);
    const wrong: string[] = [];
    let followed = 0, texts = 0, values = 0, taken = 0;
    for (let i = 0; i < SCHEMAS && wrong.length < 10; i++) {
      const random = randomFrom(seed * 1_000_000 + i);
      const schema = randomJsonSchema(random);
      const about = `${i}: ${JSON.stringify(schema)}`;
      const grammar = open(grammars, schema);
      if (grammar === null) continue;
      followed++;
      const valid = ajv!(schema);
      const seen: unknown[] = Array.from({ length: 3 }, () => randomValue(random));
      for (let j = 0; j < 3 && grammar !== "never"; j++) {
        const text = grammars.sample(grammar, random, BYTES_MAX);
        if (text === null) continue;
        texts++;
        const value = JSON.parse(text);
        if (!valid(value)) wrong.push(`given and not valid: ${text} of ${about}`);
        seen.push(mutated(value, random), mutated(mutated(value, random), random));
      }
      for (const value of seen) {
        values++;
        const isValid = valid(value);
        if (isValid) taken++;
        if (takes(grammar, value) !== isValid && !(isValid && (isLax(value, schema) || isLarge(value)))) {
          wrong.push(
            `${isValid ? "valid and not taken" : "taken and not valid"}: ${
              JSON.stringify(value)
            } of ${about}`,
          );
        }
      }
      if (grammar !== "never") grammar[Symbol.dispose]();
    }
    if (isWhole) console.log({ schemas: SCHEMAS, followed, texts, values, valid: taken });
    assertEquals(wrong, []);
    assert(followed > 0.7 * SCHEMAS, `${followed} schemas followed`);
    assert(
      texts > 1.5 * followed && taken > 0.3 * values,
      `${texts} texts, ${taken} of ${values} values valid`,
    );
  },
});

for (const draft of ["draft7", "draft2020-12"]) {
  const reason = hasSuite ? skipped : " (skipped: the official suite is not there)";
  Deno.test({
    name: `random texts of ${draft}'s official suite are valid${reason}`,
    ignore: ajv === null || !hasSuite,
    async fn() {
      using grammars = new TextGrammars();
      const wrong: string[] = [];
      let groups = 0, followed = 0, texts = 0, endless = 0;
      for await (const [file, { description, schema, tests }] of groupsOf(draft)) {
        if (!isWhole && groups++ % 6 !== 0) continue;
        const grammar = open(grammars, schema);
        if (grammar === null || grammar === "never") continue;
        const validate = compiled(schema);
        // Where Ajv does not say what the suite says, it cannot be asked.
        if (validate === null || tests.some(({ data, valid }) => validate(data) !== valid)) continue;
        followed++;
        for (let seed = 0; seed < (isWhole ? 20 : 4); seed++) {
          const text = grammars.sample(grammar, randomFrom(seed), BYTES_MAX);
          if (text === null) endless++;
          else if (texts++ >= 0 && !validate(JSON.parse(text))) {
            wrong.push(`${file} | ${description}: ${text}`);
          }
        }
        grammar[Symbol.dispose]();
      }
      if (isWhole) console.log({ draft, followed, texts, endless });
      assertEquals(wrong, []);
      assert(texts > 100 && endless < texts / 10, `${texts} texts, ${endless} that did not end`);
    },
  });
}

interface Sample {
  readonly source: string;
  readonly name: string;
  readonly schema: unknown;
}

Deno.test({
  name: `schemas as clients emit them are followed, and random texts of them are valid${skipped}`,
  ignore: ajv === null,
  async fn() {
    using grammars = new TextGrammars();
    const samples: Sample[] = [];
    for (const name of ["javascript", "python"]) {
      const lines = (await Deno.readTextFile(`${ROOT}/tests/schemas/${name}.jsonl`)).trim().split("\n");
      samples.push(...lines.map((line) => JSON.parse(line)));
    }
    const refused: string[] = [], wrong: string[] = [];
    let texts = 0;
    for (const [i, { source, name, schema }] of samples.entries()) {
      let grammar: Grammar;
      try {
        grammar = grammars.open({ kind: "schema", schema });
      } catch (error) {
        if (!(error instanceof GrammarError)) throw error;
        refused.push(`${source} ${name}: ${error.message}`);
        continue;
      }
      const valid = ajv!(schema);
      for (let seed = 0; seed < (isWhole ? 20 : 2); seed++) {
        const text = grammars.sample(grammar, randomFrom(1000 * i + seed), 10 * BYTES_MAX);
        if (text === null) continue;
        texts++;
        if (!valid(JSON.parse(text))) wrong.push(`${source} ${name}: ${text}`);
      }
      grammar[Symbol.dispose]();
    }
    if (isWhole) console.log({ samples: samples.length, refused, texts });
    assertEquals(wrong, []);
    assert(texts > 1.8 * (samples.length - refused.length), `${texts} texts`);
    assert(
      refused.length <= 0.05 * samples.length,
      `${refused.length} of ${samples.length}: ${refused.join("\n")}`,
    );
  },
});

/** Null for what Ajv cannot read: references to schemas of other places. */
function compiled(schema: unknown): ((value: unknown) => boolean) | null {
  try {
    return ajv!(schema);
  } catch {
    return null;
  }
}
