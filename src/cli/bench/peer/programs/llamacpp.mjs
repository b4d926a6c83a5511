// llama.cpp behind a line protocol, so that a benchmark can interleave it with kumi on the same file.
//
//   node llamacpp.mjs FOLDER      FOLDER/node_modules holds node-llama-cpp, which ships llama.cpp's native library
//
// Reads one JSON command a line from stdin, writes one JSON reply a line to stdout. `open` and all after it need the
// command before it:
//   {"cmd":"load","file":F}                          → {"system":…}
//   {"cmd":"open","threads":N,"context":C,"sequences":S,"flash":bool,"kv":"F16"|…} → {}  C: positions of each sequence
//   {"cmd":"fill","first":P,"tokens":[…]}            → {}  computes sequence 0 from position P on, copies it to all others
//   {"cmd":"prefill","first":P,"tokens":[…]}         → {"seconds":s}  sequence 0 from position P on; logits of the last
//   {"cmd":"decode","first":P,"tokens":[[…],…]}      → {"seconds":s}  a list per sequence; one token of each a step,
//                                                      all sequences in one llama_decode, with logits of all of them
//   {"cmd":"score","tokens":[…]} → {"greedy":[…],"greedyLogprob":[…],"logprob":[…]} for each next token
//
// The timed commands go to the addon's context below the package's public interface: that one can neither batch
// sequences into one call for certain nor ask for logits without sampling, and either would make the peer slower.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const PACKAGE = `${process.argv[2]}/node_modules/node-llama-cpp/dist/index.js`;
const { getLlama, LlamaLogLevel } = await import(pathToFileURL(PACKAGE));

/** Tokens of one llama_decode; the package sets the ubatch to the same number. */
const BATCH = 512;

/** Tokens whose logits are asked for together: the package gives them as maps, which for a large vocabulary fill Node's heap. */
const SCORED_AT_ONCE = 64;

let llama, model, context, native, sequences;

async function load({ file }) {
  await model?.dispose();
  llama ??= await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: 0 });
  model = await llama.loadModel({ modelPath: file, gpuLayers: 0, useMmap: true });
  context = undefined;
  return { system: llama.systemInfo };
}

async function open({ threads, context: contextSize, sequences: count, flash, kv }) {
  await context?.dispose();
  context = await model.createContext({
    contextSize,
    sequences: count,
    batchSize: BATCH,
    threads: { ideal: threads, min: threads },
    flashAttention: flash,
    experimentalKvCacheKeyType: kv,
    experimentalKvCacheValueType: kv,
  });
  sequences = count;
  native = context._ctx;
  native.setThreads(threads);
  return {};
}

/** Frees positions `first` and up of a sequence. */
function truncate(sequence, first) {
  if (first === 0) native.disposeSequence(sequence);
  else native.removeTokenCellsFromSequence(sequence, first, -1);
}

/** Positions `first` and up of sequence 0, in batches; logits of the last token where wanted. */
async function evaluate(first, tokens, wantLogits) {
  for (let at = 0; at < tokens.length; at += BATCH) {
    const part = Uint32Array.from(tokens.slice(at, at + BATCH));
    const isLast = at + BATCH >= tokens.length;
    native.initBatch(part.length);
    native.addToBatch(0, first + at, part, Uint32Array.from(isLast && wantLogits ? [part.length - 1] : []));
    await native.decodeBatch();
  }
}

async function fill({ first, tokens }) {
  truncate(0, first);
  await evaluate(first, tokens, false);
  for (let sequence = 1; sequence < sequences; sequence++) {
    truncate(sequence, 0);
    await native.copySequenceStateFromOtherSequence(sequence, 0);
  }
  return {};
}

async function timed(work) {
  const started = process.hrtime.bigint();
  await work();
  return { seconds: Number(process.hrtime.bigint() - started) / 1e9 };
}

async function prefill({ first, tokens }) {
  truncate(0, first);
  return await timed(() => evaluate(first, tokens, true));
}

async function decode({ first, tokens }) {
  tokens.forEach((_, sequence) => truncate(sequence, first));
  return await timed(async () => {
    for (let step = 0; step < tokens[0].length; step++) {
      native.initBatch(tokens.length);
      tokens.forEach((list, sequence) => {
        native.addToBatch(sequence, first + step, Uint32Array.of(list[step]), Uint32Array.of(0));
      });
      await native.decodeBatch();
    }
  });
}

async function score({ tokens }) {
  const sequence = context.getSequence();
  try {
    await sequence.clearHistory();
    const scores = { greedy: [], greedyLogprob: [], logprob: [] };
    for (let first = 0; first < tokens.length - 1; first += SCORED_AT_ONCE) {
      const part = tokens.slice(first, Math.min(first + SCORED_AT_ONCE, tokens.length - 1));
      const inputs = part.map((token) => [token, { generateNext: { logits: true } }]);
      addScores(await sequence.controlledEvaluate(inputs), tokens.slice(first), scores);
    }
    return scores;
  } finally {
    sequence.dispose();
  }
}

function addScores(outputs, tokens, { greedy, greedyLogprob, logprob }) {
  outputs.forEach(({ next: { logits } }, i) => {
    let best = -1;
    let max = -Infinity;
    for (const [id, value] of logits) {
      if (value > max || (value === max && id < best)) [best, max] = [id, value];
    }
    let sum = 0;
    for (const value of logits.values()) sum += Math.exp(value - max);
    greedy.push(best);
    greedyLogprob.push(-Math.log(sum));
    logprob.push(logits.get(tokens[i + 1]) - max - Math.log(sum));
  });
}

const commands = { load, open, fill, prefill, decode, score };
for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() === "") continue;
  let reply;
  try {
    const request = JSON.parse(line);
    const command = commands[request.cmd];
    if (command === undefined) throw new Error(`unknown command ${request.cmd}`);
    reply = await command(request);
  } catch (error) {
    reply = { error: String(error?.message ?? error) };
  }
  process.stdout.write(JSON.stringify(reply) + "\n");
}
process.exit(0);
