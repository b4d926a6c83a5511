/**
 * Which model is for which machine: the tables of docs/which-model.md, by the formulas with which `inspect` judges a file.
 *
 * deno task run bench/which_model.ts
 * deno task run bench/which_model.ts --write
 *
 * Nothing is measured: models are taken by their sizes, machines by their memory and what they read from it.
 * @module
 */

import { activeWeights } from "../src/gguf/active.ts";
import { MetadataReader } from "../src/gguf/metadata.ts";
import { tensorBytes, tensorType } from "../src/gguf/tensor_types.ts";
import type { WeightFormatName } from "../src/gguf/storage_format.ts";
import { formatBytes } from "../src/cli/units.ts";
import { memoryBytes } from "../src/layers/formats.ts";
import { stateBytesOf } from "../src/layers/state_shape.ts";
import { TOKEN_TABLE } from "../src/models/hyperparameters.ts";
import { shapeEntries, shapeTensors } from "../src/models/random_shapes.ts";
import { readHyperparameters } from "../src/models/read_hyperparameters.ts";
import { familyOf } from "../src/models/registry.ts";
import { shapeKeys } from "../src/models/shape_keys.ts";
import { type ModelShape, modelShape } from "../src/models/shapes.ts";
import { kvRoomTokens } from "../src/runner/memory_check.ts";
import { kvBytesFor, kvTokenBytes } from "../src/runner/sizes.ts";
import { ROOT } from "../src/setup/paths.ts";
import { parseArgs } from "@std/cli";

export const WHICH_MODEL_PAGE = "docs/which-model.md";
/** What the page has between these lines is this program's. */
const MARKS = ["<!-- tables: bench/which_model.ts --write -->", "<!-- end of tables -->"] as const;

interface Model {
  readonly name: string;
  readonly shape: ModelShape;
  /** Of all matrices. */
  readonly format: WeightFormatName;
}

/** Shapes for benchmarks have a part of the layers of large models. */
function whole(name: string, layers: number): ModelShape {
  return { ...modelShape(name), layers };
}

/** Qwen 3 Next: the sizes of Qwen 3.5 35B-A3B with twice the experts. */
function qwen3Next(): ModelShape {
  const { entries = [], ...shape } = whole("qwen3.5-35b-a3b", 48);
  const family = "qwen3next";
  const own = entries.filter(({ key }) => /\.(ssm|rope\.dimension_count$)/.test(key));
  return {
    ...shape,
    family,
    vocab: 151936,
    entries: [
      ...own.map((entry) => ({ ...entry, key: entry.key.replace(/^[^.]+/, family) })),
      ...shapeKeys(family, {
        expert_count: 512,
        expert_used_count: 10,
        expert_feed_forward_length: 512,
        expert_shared_feed_forward_length: 512,
      }),
    ],
  };
}

const MODELS: readonly Model[] = [
  { name: "Llama 3.2 1B", shape: modelShape("llama-1b"), format: "q4_k" },
  { name: "Qwen 3.5 4B", shape: modelShape("qwen3.5-4b"), format: "q4_k" },
  { name: "Code Llama 7B", shape: modelShape("codellama-7b"), format: "q4_k" },
  { name: "DeepSeek V2 Lite 16B", shape: whole("deepseek-v2-lite", 27), format: "q4_k" },
  { name: "gpt-oss 20B", shape: whole("gpt-oss-20b", 24), format: "mxfp4" },
  { name: "Qwen 3 30B-A3B", shape: whole("qwen3-30b-a3b", 48), format: "q4_k" },
  { name: "Qwen 3.5 35B-A3B", shape: whole("qwen3.5-35b-a3b", 40), format: "q4_k" },
  { name: "Qwen 3 Next 80B-A3B", shape: qwen3Next(), format: "q4_k" },
];

const MEMORIES_GB = [16, 32, 64];
/** What the system and other programs leave of it. */
const AVAILABLE = 0.85;
const BANDWIDTHS_GBPS = [40, 200];
const CONTEXT = 8192;

/** What `inspect` would say of a file of the model. */
function judge({ shape, format }: Model) {
  const tensors = new Map(
    shapeTensors(shape, format).map(({ name, type, dims }) => {
      return [name, { name, type, dims, bytes: tensorBytes(tensorType(type), dims) }];
    }),
  );
  const metadata = new Map(shapeEntries("", shape, format).map(({ key, value }) => [key, value]));
  const header = {
    get: new MetadataReader(metadata),
    tensors: new Map([[TOKEN_TABLE, tensors.get(TOKEN_TABLE)!]]),
  };
  const h = readHyperparameters(header, familyOf(header));
  const inMemory = ({ type, dims }: { type: number; dims: readonly number[] }) => memoryBytes(type, dims);
  const weightBytes = tensors.values().reduce((sum, tensor) => sum + inMemory(tensor), 0);
  const users = (memoryGB: number) => {
    const availableBytes = memoryGB * 1e9 * AVAILABLE;
    const tokens = kvRoomTokens({ weightBytes, kvBytes: kvBytesFor(h, "f16"), availableBytes });
    return Math.floor(Math.max(0, tokens) / Math.min(CONTEXT, h.contextLength));
  };
  return {
    weightBytes,
    active: activeWeights({ metadata, tensors }, inMemory),
    sequenceBytes: kvTokenBytes(h, "f16") * CONTEXT + stateBytesOf(h.layers),
    users,
  };
}

function table(rows: readonly (readonly string[])[]): string {
  const [head, ...body] = rows;
  return [head, head.map(() => "---"), ...body].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

/** The page's tables. */
export function whichModelTables(): string {
  const judged = MODELS.map((model) => ({ ...model, ...judge(model) }));
  const speed = (bytes: number) => (bandwidth: number) => {
    const perSecond = bandwidth * 1e9 / bytes;
    return perSecond.toFixed(perSecond < 10 ? 1 : 0);
  };
  const fit = table([
    [
      "model",
      "format",
      "weights",
      `a user's ${CONTEXT} tokens`,
      ...MEMORIES_GB.map((gb) => `users in ${gb} GB`),
    ],
    ...judged.map(({ name, format, weightBytes, sequenceBytes, users }) => [
      name,
      format.toUpperCase(),
      formatBytes(weightBytes),
      formatBytes(sequenceBytes),
      ...MEMORIES_GB.map((gb) => users(gb) === 0 ? "–" : `${users(gb)}`),
    ]),
  ]);
  const fast = table([
    [
      "model",
      "parameters of a token",
      "a token reads",
      ...BANDWIDTHS_GBPS.map((gbps) => `tokens/s at ${gbps} GB/s`),
    ],
    ...judged.map(({ name, active: { parameters, bytes } }) => [
      name,
      `${(parameters / 1e9).toFixed(1)} B`,
      formatBytes(bytes),
      ...BANDWIDTHS_GBPS.map(speed(bytes)),
    ]),
  ]);
  return `${fit}\n\n${fast}`;
}

/** The page with these tables. Throws where the page has no place for them. */
export function withTables(page: string, tables: string): string {
  const [start, end] = MARKS.map((mark) => page.indexOf(mark));
  if (start < 0 || end < start) throw new Error(`${WHICH_MODEL_PAGE} has no lines ${MARKS.join(" and ")}`);
  return `${page.slice(0, start)}${MARKS[0]}\n\n${tables}\n\n${page.slice(end)}`;
}

if (import.meta.main) {
  const tables = whichModelTables();
  if (!parseArgs(Deno.args, { boolean: ["write"] }).write) console.log(tables);
  else {
    const path = `${ROOT}/${WHICH_MODEL_PAGE}`;
    await Deno.writeTextFile(path, withTables(await Deno.readTextFile(path), tables));
  }
}
