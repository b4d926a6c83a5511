/** Models with a predictor: of random numbers, and such that guess well. @module */

import { openGguf, scalarEntry, type WeightFormatName } from "../../src/gguf/mod.ts";
import { type ModelShape, modelShape } from "../../src/models/shapes.ts";
import type { TemporaryFolder } from "./models.ts";
import { numbersFrom } from "./numbers.ts";

/** A known shape with a predictor behind its layers. */
export function predictingShape(name: string): ModelShape {
  const shape = modelShape(name), { entries = [], layers, family } = shape;
  const count = scalarEntry("u32", `${family}.nextn_predict_layers`, 1);
  return { ...shape, layers: layers + 1, entries: [...entries, count] };
}

/** Writes a model of random numbers with a predictor. */
export function randomPredicting(
  folder: TemporaryFolder,
  name: string,
  format: WeightFormatName,
): Promise<string> {
  return folder.randomModel(predictingShape(name), format);
}

/**
 * Writes a model whose layers add nothing, so that the next token depends on the last one alone, and whose predictor knows that: it
 * passes the embedding on and drops the state. `blur`: how far its last norm is from the model's; 0: it guesses right.
 */
export async function writePredictable(folder: TemporaryFolder, name: string, blur = 0): Promise<string> {
  const known = predictingShape(name);
  const optional = [...known.optional ?? [], "shared_head_norm.weight"];
  // Where the output is the table each token would be followed by itself.
  const shape = { ...known, tied: false, optional };
  const path = await folder.randomModel(shape, "f32");
  using file = await openGguf(path);
  using target = Deno.openSync(path, { write: true });
  const { hidden, layers } = shape, own = `blk.${layers - 1}.nextn`;
  const write = (tensor: string, values: Float32Array) => {
    target.seekSync(file.tensor(tensor).offset, Deno.SeekMode.Start);
    target.writeSync(new Uint8Array(values.buffer));
  };
  for (const { name, bytes } of file.tensors.values()) {
    const adds = /\.(attn_output|ssm_out|ffn_down|ffn_down_exps|ffn_down_shexp)\.weight$/.test(name);
    if (adds) write(name, new Float32Array(bytes / 4));
  }
  write(`${own}.enorm.weight`, new Float32Array(hidden).fill(1));
  const pass = new Float32Array(2 * hidden * hidden);
  for (let i = 0; i < hidden; i++) pass[2 * hidden * i + i] = 1;
  write(`${own}.eh_proj.weight`, pass);
  const norm = new Float32Array(hidden), next = numbersFrom(3);
  file.readInto("output_norm.weight", 0, new Uint8Array(norm.buffer));
  write(`${own}.shared_head_norm.weight`, norm.map((value) => value * (1 + blur * (next(2001) / 1000 - 1))));
  return path;
}
