/**
 * Do kumi and llama.cpp agree on every weight format? A random model in each, whose rows all formats divide, is scored by both
 * and, its weights written out as F32, by kumi in floats: that is what the file says, and both are held against it, since each
 * rounds activations to eight bits in blocks of its own.
 *
 * deno task run bench/format_agreement.ts
 * deno task run bench/format_agreement.ts iq2_xxs tq1_0
 *
 * Needs node and npm. Exits with 1 where fewer than 99 of 100 greedy tokens are the same.
 * @module
 */

import { Peer, type PeerScore } from "../src/cli/bench/peer/peer.ts";
import { renderTable } from "../src/cli/table.ts";
import { Kernels } from "../src/ffi/context.ts";
import { GgufWriter, openGguf, weightFormatNames } from "../src/gguf/mod.ts";
import { elementCount, tensorType, TensorTypeId } from "../src/gguf/tensor_types.ts";
import { writeRandomModel } from "../src/models/random_model.ts";
import type { ModelShape } from "../src/models/shapes.ts";
import { loadModelRunner } from "../src/runner/model_runner.ts";
import { scorePositions } from "./support/score_positions.ts";

const CONTEXT = 512;
const SAME_GREEDY_MIN = 0.99;
const SHAPE: ModelShape = {
  family: "llama",
  hidden: 512,
  feedForward: 1024,
  layers: 4,
  heads: 8,
  kvHeads: 4,
  headDim: 64,
  vocab: 1024,
  tied: false,
  ropeBase: 10000,
  context: CONTEXT,
  eps: 1e-5,
};

/** Writes the same model with the values of all tensors as F32. */
async function writeDecoded(path: string, target: string): Promise<void> {
  using kernels = Kernels.open({ workspaceBytes: 64 });
  using file = await openGguf(path);
  const tensors = [...file.tensors.values()].map(({ name, dims }) => ({
    name,
    dims,
    type: TensorTypeId.F32,
  }));
  await using writer = await GgufWriter.create(target, { entries: file.entries, tensors });
  for (const { name, type, dims } of file.tensors.values()) {
    const { blockBytes, blockLength } = tensorType(type);
    const bytes = new Uint8Array(elementCount(dims) / blockLength * blockBytes);
    file.readInto(name, 0, bytes);
    const values = new Float32Array(elementCount(dims));
    if (type === TensorTypeId.F32) values.set(new Float32Array(bytes.buffer));
    else kernels.dequantize(type, bytes, values);
    await writer.write(new Uint8Array(values.buffer));
  }
  await writer.finish();
}

function randomSequences(): number[][] {
  let state = 12345;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  return Array.from(
    { length: 4 },
    () => Array.from({ length: 256 }, () => Math.floor(next() * SHAPE.vocab)),
  );
}

/** By sequence. */
async function ourScores(path: string, sequences: readonly number[][]): Promise<PeerScore[]> {
  using file = await openGguf(path);
  const options = { kvFormat: "f32", contextLength: CONTEXT, logitsRowsMax: 128 } as const;
  using runner = await loadModelRunner(file, options);
  return sequences.map((tokens) => scorePositions(runner, tokens, CONTEXT));
}

async function peerScores(peer: Peer, path: string, sequences: readonly number[][]): Promise<PeerScore[]> {
  await peer.load(path);
  await peer.open({ threads: navigator.hardwareConcurrency, context: CONTEXT, kv: "f32" });
  const scores: PeerScore[] = [];
  for (const tokens of sequences) scores.push(await peer.score(tokens));
  return scores;
}

interface Distance {
  readonly positions: number;
  /** Share of the positions whose greedy token is the same. */
  readonly same: number;
  /** Mean |Δ log p| of the token that follows. */
  readonly difference: number;
}

function distance(a: readonly PeerScore[], b: readonly PeerScore[]): Distance {
  let positions = 0, same = 0, sum = 0;
  for (const [s, { greedy, logprob }] of a.entries()) {
    for (const [i, token] of greedy.entries()) {
      positions++;
      if (token === b[s].greedy[i]) same++;
      sum += Math.abs(logprob[i] - b[s].logprob[i]);
    }
  }
  return { positions, same: same / positions, difference: sum / positions };
}

if (import.meta.main) {
  const wanted = Deno.args.length > 0 ? Deno.args : weightFormatNames;
  const sequences = randomSequences();
  const folder = await Deno.makeTempDir({ prefix: "kumi-agreement-" });
  const rows: string[][] = [];
  let missed = 0;
  try {
    await using peer = await Peer.start();
    for (const format of wanted) {
      const [path, decoded] = [`${folder}/${format}.gguf`, `${folder}/${format}-decoded.gguf`];
      await writeRandomModel(path, { shape: SHAPE, format });
      await writeDecoded(path, decoded);
      const ours = await ourScores(path, sequences);
      const theirs = await peerScores(peer, path, sequences);
      const exact = await ourScores(decoded, sequences);
      const [both, our, their] = [distance(ours, theirs), distance(ours, exact), distance(theirs, exact)];
      const ok = both.same >= SAME_GREEDY_MIN;
      if (!ok) missed++;
      const cells = [both, our, their].flatMap(({ same, difference }) => [
        `${(same * 100).toFixed(2)} %`,
        difference.toFixed(5),
      ]);
      console.error(`${format}: ${(both.same * 100).toFixed(2)} %`);
      rows.push([format, `${both.positions}`, ...cells, ok ? "yes" : "no"]);
      await Promise.all([path, decoded].map((file) => Deno.remove(file)));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  const header = [
    "format",
    "positions",
    "same greedy token",
    "mean |Δ log p|",
    "kumi and floats",
    "…",
    "llama.cpp and floats",
    "…",
    "in target",
  ];
  console.log(renderTable(header, rows));
  Deno.exit(missed === 0 ? 0 : 1);
}
