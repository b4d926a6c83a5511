// llama.cpp behind a line protocol, so that a benchmark can interleave it with kumi on the same file.
//
// Runs under node (the npm package node-llama-cpp ships llama.cpp's native library). Reads one JSON command
// a line from stdin, writes one JSON reply a line to stdout:
//   {"cmd":"load","file":F,"threads":N,"context":C,"sequences":S,"flash":bool,"kv":"F16"|"F32"} → {"ok":true,…}
//   {"cmd":"prefill","tokens":[…]}           → {"seconds":s}   whole prompt, last logits only
//   {"cmd":"decode","tokens":[…],"depth":[…]} → {"seconds":s}  one token a step after the depth tokens
//   {"cmd":"score","tokens":[…]}             → {"greedy":[…],"greedyLogprob":[…],"logprob":[…]} for each next token
//   {"cmd":"generate","tokens":[…],"count":N} → {"tokens":[…]} greedy continuation
import { createInterface } from "node:readline";
import { getLlama, LlamaLogLevel } from "node-llama-cpp";

let llama, model, context, sequence;

async function load({ file, threads = 2, context: contextSize = 2048, sequences = 1, flash = false, kv = "F16" }) {
  await context?.dispose();
  await model?.dispose();
  llama ??= await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: 0 });
  model = await llama.loadModel({ modelPath: file, gpuLayers: 0, useMmap: true });
  context = await model.createContext({
    contextSize,
    sequences,
    batchSize: 512,
    threads: { ideal: threads, min: threads },
    flashAttention: flash,
    experimentalKvCacheKeyType: kv,
    experimentalKvCacheValueType: kv,
  });
  sequence = context.getSequence();
  return { ok: true, system: llama.systemInfo, contextSize: context.contextSize };
}

async function timed(work) {
  const started = process.hrtime.bigint();
  await work();
  return { seconds: Number(process.hrtime.bigint() - started) / 1e9 };
}

async function prefill({ tokens }) {
  await sequence.clearHistory();
  return await timed(() => sequence.evaluateWithoutGeneratingNewTokens(tokens));
}

async function decode({ tokens, depth = [] }) {
  await sequence.clearHistory();
  if (depth.length > 0) await sequence.evaluateWithoutGeneratingNewTokens(depth);
  return await timed(async () => {
    for (const token of tokens) await sequence.evaluateWithoutGeneratingNewTokens([token]);
  });
}

async function score({ tokens }) {
  await sequence.clearHistory();
  const inputs = tokens.slice(0, -1).map((token) => [token, { generateNext: { logits: true } }]);
  const outputs = await sequence.controlledEvaluate(inputs);
  const greedy = [];
  const greedyLogprob = [];
  const logprob = [];
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
  return { greedy, greedyLogprob, logprob };
}

async function generate({ tokens, count }) {
  await sequence.clearHistory();
  const out = [];
  for await (const token of sequence.evaluate(tokens, { temperature: 0, yieldEogToken: true })) {
    out.push(token);
    if (out.length >= count) break;
  }
  return { tokens: out };
}

const commands = { load, prefill, decode, score, generate };
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
