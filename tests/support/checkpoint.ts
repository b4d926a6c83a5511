/** Checkpoints for tests, made out of GGUF files as `save_pretrained` would have written them. */

import { type GgufFile, openGguf } from "../../src/gguf/mod.ts";
import { CHECKPOINT_KINDS, type CheckpointKind } from "./checkpoint_kinds.ts";
import { tensorType } from "../../src/gguf/tensor_types.ts";

const OUTER: Readonly<Record<string, string>> = {
  "token_embd.weight": "model.embed_tokens.weight",
  "output_norm.weight": "model.norm.weight",
  "output.weight": "lm_head.weight",
};
const IN_LAYER: Readonly<Record<string, string>> = {
  attn_norm: "input_layernorm",
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  attn_q_norm: "self_attn.q_norm",
  attn_k_norm: "self_attn.k_norm",
  ffn_norm: "post_attention_layernorm",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
};

/** A tensor of a checkpoint. */
export interface CheckpointTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** The bytes of a safetensors file. */
export function encodeSafetensors(tensors: readonly CheckpointTensor[]): Uint8Array<ArrayBuffer> {
  let at = 0;
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  for (const { name, dtype, shape, data } of tensors) {
    header[name] = { dtype, shape, data_offsets: [at, at += data.length] };
  }
  return withHeader(header, tensors.map(({ data }) => data));
}

/** A file with any header. */
export function withHeader(header: unknown, data: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + data.reduce((sum, { length }) => sum + length, 0));
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  let at = 8 + json.length;
  for (const part of data) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/**
 * Rows of queries and keys in the order that checkpoints of Llama have: the first halves of the pairs, then
 * the second ones.
 */
function inHalves(data: Uint8Array, rows: number, heads: number): Uint8Array {
  const rowBytes = data.length / rows;
  const size = rows / heads;
  const turned = new Uint8Array(data.length);
  for (let row = 0; row < rows; row++) {
    const within = row % size;
    const to = row - within + (within % 2) * (size / 2) + (within >> 1);
    turned.set(data.subarray(row * rowBytes, (row + 1) * rowBytes), to * rowBytes);
  }
  return turned;
}

function tensorsOf(
  file: GgufFile,
  { parts = {}, inHalves: turned, normsAroundOne, outer = {}, odd = {}, experts }: Omit<
    CheckpointKind,
    "shape"
  >,
): CheckpointTensor[] {
  const architecture = file.get.string("general.architecture");
  const names = { ...IN_LAYER, ...parts };
  const headsOf = (key: string) => file.get.u32(`${architecture}.attention.${key}`);
  // Factors of RoPE are settings there.
  const stored = [...file.tensors.values()].filter(({ name }) => !name.startsWith("rope_"));
  return stored.flatMap(({ name, type, dims, bytes }) => {
    let data: Uint8Array = new Uint8Array(bytes);
    file.readInto(name, 0, data);
    const [, layer, part, end] = /^blk\.(\d+)\.(\w+)\.(\w+)$/.exec(name) ?? [];
    const heads = { attn_q: "head_count", attn_k: "head_count_kv" }[part];
    if (heads !== undefined && turned) data = inHalves(data, dims.at(-1)!, headsOf(heads));
    if (normsAroundOne && name.endsWith("norm.weight")) {
      data = new Uint8Array(new Float32Array(data.buffer).map((value) => value - 1).buffer);
    }
    const dtype = tensorType(type).name;
    if (experts !== undefined && part in experts) {
      const size = data.length / dims[2];
      return Array.from({ length: dims[2] }, (_, expert) => ({
        name: `model.layers.${layer}.${experts[part].replace("*", `${expert}`)}.weight`,
        dtype,
        shape: [dims[1], dims[0]],
        data: data.subarray(expert * size, (expert + 1) * size),
      }));
    }
    const own = layer === undefined
      ? { ...OUTER, ...outer }[name]
      : `model.layers.${layer}.${odd[`${part}.${end}`] ?? `${names[part]}.${end}`}`;
    return { name: own, dtype, shape: dims.toReversed(), data };
  });
}

/** config.json of a GGUF file of Llama's kind. */
export function configOf(file: GgufFile, architecture: string): Record<string, unknown> {
  const name = file.get.string("general.architecture");
  const u32 = (key: string) => file.get.u32(`${name}.${key}`);
  return {
    architectures: [architecture],
    hidden_act: "silu",
    hidden_size: u32("embedding_length"),
    intermediate_size: u32("feed_forward_length"),
    max_position_embeddings: u32("context_length"),
    num_attention_heads: u32("attention.head_count"),
    num_key_value_heads: u32("attention.head_count_kv"),
    num_hidden_layers: u32("block_count"),
    rms_norm_eps: file.get.f32(`${name}.attention.layer_norm_rms_epsilon`, { fallback: 0 }),
    rope_theta: file.get.f32(`${name}.rope.freq_base`),
    tie_word_embeddings: !file.tensors.has("output.weight"),
    vocab_size: file.tensors.get("token_embd.weight")!.dims[1],
  };
}

/** tokenizer.json of a byte-level vocabulary with Qwen 2's words. */
export function tokenizerOf(file: GgufFile): Record<string, unknown> {
  const texts = file.metadata.get("tokenizer.ggml.tokens") as string[];
  const kinds = file.metadata.get("tokenizer.ggml.token_type") as Int32Array;
  const isAdded = (id: number) => kinds[id] === 3;
  const split =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" +
    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  return {
    added_tokens: texts.flatMap((content, id) => isAdded(id) ? [{ id, content, special: true }] : []),
    normalizer: { type: "NFC" },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: split }, behavior: "Isolated", invert: false },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false },
      ],
    },
    post_processor: { type: "ByteLevel", add_prefix_space: false },
    model: {
      type: "BPE",
      vocab: Object.fromEntries(texts.flatMap((text, id) => isAdded(id) ? [] : [[text, id]])),
      merges: (file.metadata.get("tokenizer.ggml.merges") as string[]).map((merge) => merge.split(" ")),
    },
  };
}

/** The settings of this architecture for a GGUF file of a random model. */
function configOfKind(file: GgufFile, architecture: string): Record<string, unknown> {
  const name = file.get.string("general.architecture");
  const { config = {} } = CHECKPOINT_KINDS[architecture] ?? {};
  const headDim = file.get.u32(`${name}.attention.key_length`, { fallback: 0 });
  return { ...configOf(file, architecture), ...headDim === 0 ? {} : { head_dim: headDim }, ...config };
}

function inBf16(tensor: CheckpointTensor): CheckpointTensor {
  const halves = Uint16Array.from(new Uint32Array(tensor.data.slice().buffer), (bits) => bits >>> 16);
  return { ...tensor, dtype: "BF16", data: new Uint8Array(halves.buffer) };
}

/** Writes a checkpoint of a GGUF file into a folder; `parts`: files that its tensors lie in. */
export async function writeCheckpoint(
  path: string,
  folder: string,
  { architecture = "LlamaForCausalLM", parts = 1, halfOf = () => false }: {
    architecture?: string;
    parts?: number;
    /** Which tensors in F32 are written in BF16, cut off. Default: none. */
    halfOf?: (name: string) => boolean;
  } = {},
): Promise<void> {
  using file = await openGguf(path);
  const tensors = tensorsOf(file, CHECKPOINT_KINDS[architecture] ?? { inHalves: true })
    .map((tensor) => halfOf(tensor.name) ? inBf16(tensor) : tensor);
  const texts = file.metadata.get("tokenizer.ggml.tokens") as string[];
  const eos = file.get.u32("tokenizer.ggml.eos_token_id");
  const write = (name: string, value: unknown) =>
    Deno.writeTextFile(`${folder}/${name}`, JSON.stringify(value));
  await write("config.json", configOfKind(file, architecture));
  await write("generation_config.json", { eos_token_id: [eos], do_sample: true, temperature: 0.5 });
  await write("tokenizer.json", tokenizerOf(file));
  await write("tokenizer_config.json", {
    eos_token: texts[eos],
    chat_template: file.metadata.get("tokenizer.chat_template"),
  });
  if (parts === 1) return await Deno.writeFile(`${folder}/model.safetensors`, encodeSafetensors(tensors));
  const weight_map: Record<string, string> = {};
  for (let part = 0; part < parts; part++) {
    const own = tensors.filter((_, i) => i % parts === part);
    const name = `model-${part + 1}-of-${parts}.safetensors`;
    for (const tensor of own) weight_map[tensor.name] = name;
    await Deno.writeFile(`${folder}/${name}`, encodeSafetensors(own));
  }
  await write("model.safetensors.index.json", { metadata: {}, weight_map });
}
