/**
 * What the same tokens have always given: hashes of logits of random models, of all weight formats, KV formats and families, and tokens that
 * were drawn. Where one changes, the version of the numbers in src/protocol/numerics.ts has to be raised:
 *
 * deno task run tests/numerics/goldens.ts --write
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import {
  type KvFormat,
  kvFormatNames,
  type WeightFormatName,
  weightFormatNames,
} from "../../src/gguf/mod.ts";
import { shapeNames } from "../../src/models/shapes.ts";
import { NUMERICS_VERSION } from "../../src/protocol/numerics.ts";
import { canonicalJson } from "../../src/protocol/receipts/canonical.ts";
import { resolveSampling } from "../../src/protocol/sampling.ts";
import type { ModelRunner } from "../../src/runner/model_runner.ts";
import { tablesOf } from "../../scheduler/testing/tables.ts";
import { GOLDENS as RECORDED } from "../emulation/record.ts";
import { BLOCK_TOKENS } from "../../src/runner/batch.ts";
import { loadRunner, TemporaryFolder } from "../support/models.ts";

/** The committed file. */
export const GOLDENS_FILE = new URL("./goldens.json", import.meta.url);

/** What it has. */
export interface Goldens {
  /** By version of the numbers: the hash of the goldens that it had. */
  readonly history: Readonly<Record<string, string>>;
  readonly goldens: Readonly<Record<string, string>>;
}

const PROMPT_TOKENS = 37;
const DECODE_TOKENS = 3;
const CONTEXT = 64;

/** A model and how it is loaded. */
interface Case {
  readonly shape: string;
  readonly format: WeightFormatName;
  readonly kvFormat: KvFormat;
}

const CASES: readonly Case[] = [
  ...weightFormatNames.map((format) => ({ shape: "llama-tiny", format, kvFormat: "f16" } as const)),
  ...kvFormatNames.filter((name) => name !== "f16").map((kvFormat) =>
    ({ shape: "llama-tiny", format: "q8_0", kvFormat }) as const
  ),
  ...shapeNames.filter((name) => name.endsWith("-tiny") && name !== "llama-tiny").map((shape) =>
    ({ shape, format: "q8_0", kvFormat: "f16" }) as const
  ),
];

const sha256 = (bytes: string | Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/**
 * Computes those that are wanted, by default all; those of recorded passes are computed where they are recorded.
 */
export async function computeGoldens(
  isWanted: (name: string) => boolean = () => true,
): Promise<Record<string, string>> {
  const goldens: Record<string, string> = {};
  using folder = new TemporaryFolder();
  for (const { shape, format, kvFormat } of CASES) {
    const name = `${shape} ${format} ${kvFormat}`;
    if (!isWanted(name)) continue;
    const path = await folder.randomModel(shape, format);
    // Products of BF16 weights have bits of their own with each kind of instructions: those that every machine has.
    const isa = format === "bf16" ? "baseline" : undefined;
    using runner = await loadRunner(path, {
      contextLength: CONTEXT,
      kvTokens: CONTEXT,
      kvFormat,
      threads: 1,
      isa,
    });
    goldens[name] = sha256(logitsOf(runner));
    if (shape === "llama-tiny" && format === "q8_0" && kvFormat === "f16") {
      goldens.drawn = sha256(draws(runner));
    }
    await Deno.remove(path);
  }
  for (const [name, hash] of Object.entries(RECORDED)) goldens[`recorded ${name}`] = hash;
  return goldens;
}

const tokensOf = (vocab: number) =>
  Array.from({ length: PROMPT_TOKENS + DECODE_TOKENS }, (_, i) => (i * 7919 + 13) % Math.min(vocab, 512));

/** The logits after the prompt and after each further token. */
function logitsOf(runner: ModelRunner): Uint8Array {
  const tokens = tokensOf(runner.hyperparameters.vocab);
  const hash: Uint8Array[] = [];
  const tables = tablesOf([0, 1, 2, 3], runner.kvWindows.length, CONTEXT / BLOCK_TOKENS);
  for (let first = 0; first < tokens.length;) {
    const count = first === 0 ? PROMPT_TOKENS : 1;
    runner.forward([{ tokens, first, count, tables }]);
    runner.logits([count - 1]);
    hash.push(new Uint8Array(runner.readLogits().buffer));
    first += count;
  }
  return new Uint8Array(Buffer.concat(hash));
}

/** Tokens that are drawn from one row of logits, in several ways, with several seeds and behind several lengths. */
function draws(runner: ModelRunner): string {
  const { vocab } = runner.hyperparameters;
  const tokens = tokensOf(vocab);
  const ways = [
    {},
    { temperature: 1.5, topK: 0, topP: 1, minP: 0 },
    { temperature: 1, topP: 0.5, repeatPenalty: 1.3, presencePenalty: 0.5, frequencyPenalty: 0.25 },
    { temperature: 0.7, topK: 7, logitBias: { 3: 5, 4: -5 } },
  ];
  const drawn = ways.flatMap((way) =>
    Array.from(
      { length: 16 },
      (_, seed) =>
        runner.sample([{
          params: resolveSampling({ ...way, seed }, vocab),
          tokens: tokens.slice(0, 20 + seed),
        }])[0].id,
    )
  );
  return drawn.join();
}

/** The hash of all goldens. */
export function digestOf(goldens: Readonly<Record<string, string>>): string {
  return sha256(canonicalJson(goldens));
}

/** Those of the first that are others in the second; what is new is no change. */
export function changedGoldens(kept: Goldens["goldens"], computed: Goldens["goldens"]): string[] {
  return Object.keys(kept).filter((name) => name in computed && kept[name] !== computed[name]);
}

/** The file with what was computed. Throws an Error where something has changed and the version has not. */
export function renewed(
  { history, goldens }: Goldens,
  computed: Goldens["goldens"],
  version: number,
): Goldens {
  const changed = changedGoldens(goldens, computed);
  if (changed.length > 0 && history[version] !== undefined) {
    throw new Error(
      `the numbers have changed (${
        changed.join(", ")
      }): raise NUMERICS_VERSION in src/protocol/numerics.ts, which is ${version}`,
    );
  }
  return { history: { ...history, [version]: digestOf(computed) }, goldens: computed };
}

if (import.meta.main) {
  const kept: Goldens = await Deno.readTextFile(GOLDENS_FILE).then(
    JSON.parse,
    () => ({ history: {}, goldens: {} }),
  );
  const computed = await computeGoldens();
  if (Deno.args.includes("--write")) {
    const text = JSON.stringify(renewed(kept, computed, NUMERICS_VERSION), null, 2);
    await Deno.writeTextFile(GOLDENS_FILE, `${text}\n`);
  }
  console.log(
    `${Object.keys(computed).length} goldens, changed: ${
      changedGoldens(kept.goldens, computed).join(", ") || "none"
    }`,
  );
}
