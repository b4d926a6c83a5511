// From nothing to the first token in llama.cpp: node llamacpp_first_token.mjs FOLDER MODEL THREADS PROMPT
// FOLDER/node_modules holds node-llama-cpp.
import { pathToFileURL } from "node:url";

const [folder, modelPath, threads, prompt] = process.argv.slice(2);
const { getLlama, LlamaLogLevel } = await import(
  pathToFileURL(`${folder}/node_modules/node-llama-cpp/dist/index.js`)
);
const llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: 0 });
const model = await llama.loadModel({ modelPath, gpuLayers: 0 });
const context = await model.createContext({
  contextSize: 512,
  threads: { ideal: Number(threads), min: Number(threads) },
});
for await (const token of context.getSequence().evaluate(model.tokenize(prompt), { temperature: 0 })) {
  process.stdout.write(`${model.detokenize([token])}\n`);
  break;
}
process.exit(0);
