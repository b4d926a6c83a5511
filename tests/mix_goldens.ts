/**
 * Writes tests/mix_goldens.json: the types that llama.cpp's own quantizer gives to the tensors of tests/support/mix_cases.ts.
 *
 * deno task run tests/mix_goldens.ts --write
 *
 * Without `--write` it says whether the file is what llama.cpp says. Needs the library of llama.cpp that
 * `kumi bench --peer llama.cpp` installs, on 64-bit Linux.
 * @module
 */

import { GgufWriter, mixNames, openGguf, tensorType } from "../src/gguf/mod.ts";
import { PEER_PACKAGE } from "../src/cli/bench/peer/programs.ts";
import { cacheFolder } from "../src/hub/cache.ts";
import type { TensorSpec } from "../src/gguf/mod.ts";
import { mixCases, typeLines } from "./support/mix_cases.ts";
import { parseTarget } from "../src/gguf/mixes.ts";

const LIBRARIES =
  `${cacheFolder()}/peer/${PEER_PACKAGE}/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64`;
const GOLDENS = new URL("mix_goldens.json", import.meta.url);

/** Offsets in llama_model_quantize_params. */
const PARAMS = { bytes: 64, threads: 0, fileType: 4, importances: 24 };

type Goldens = Record<string, Record<string, Record<string, string>>>;

function openLlama() {
  const names = [...Deno.readDirSync(LIBRARIES)].map(({ name }) => name);
  const path = names.find((name) => /^libllama\.(v.*\.)?so$/.test(name));
  return Deno.dlopen(`${LIBRARIES}/${path}`, {
    llama_model_quantize: { parameters: ["buffer", "buffer", "buffer"], result: "u32" },
    llama_model_quantize_default_params: {
      parameters: [],
      result: { struct: ["i32", "i32", "i32", "i32", "u64", "u64", "u64", "u64", "u64", "u64"] },
    },
  });
}

/** Lists that llama.cpp reads in place: {name, values, length} of each matrix, then a name of null. */
class Importances {
  readonly #kept: Uint8Array[] = [];
  readonly list: BigUint64Array;

  constructor(tensors: readonly TensorSpec[]) {
    const rows = tensors.filter(({ dims }) => dims.length > 1).map(({ name, dims: [k, , experts = 1] }) => {
      const values = new Float32Array(k * experts).fill(1);
      return [
        addressOf(this.#keep(text(name))),
        addressOf(this.#keep(new Uint8Array(values.buffer))),
        BigInt(values.length),
      ];
    });
    this.list = BigUint64Array.from([...rows.flat(), 0n, 0n, 0n]);
  }

  #keep(bytes: Uint8Array): Uint8Array {
    this.#kept.push(bytes);
    return bytes;
  }

  /** For the caller to hold until llama.cpp has returned. */
  get bytes(): number {
    return this.#kept.reduce((sum, { length }) => sum + length, 0);
  }
}

const text = (value: string) => new TextEncoder().encode(`${value}\0`);

function addressOf(bytes: Uint8Array | BigUint64Array): bigint {
  return BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes as Uint8Array<ArrayBuffer>)));
}

function quantize(
  llama: ReturnType<typeof openLlama>,
  input: string,
  output: string,
  fileType: number,
  importances: Importances | undefined,
): void {
  const params = llama.symbols.llama_model_quantize_default_params().slice();
  const view = new DataView(params.buffer);
  view.setInt32(PARAMS.threads, 1, true);
  view.setInt32(PARAMS.fileType, fileType, true);
  if (importances !== undefined) view.setBigUint64(PARAMS.importances, addressOf(importances.list), true);
  const status = llama.symbols.llama_model_quantize(text(input), text(output), params);
  if (status !== 0 || importances?.bytes === 0) {
    throw new Error(`llama.cpp cannot quantize ${input} to ${fileType}`);
  }
}

async function makeGoldens(): Promise<Goldens> {
  const llama = openLlama();
  const folder = await Deno.makeTempDir();
  const goldens: Goldens = {};
  try {
    for (const { name, entries, tensors } of mixCases) {
      const [input, output] = [`${folder}/in.gguf`, `${folder}/out.gguf`];
      await Deno.remove(input).catch(() => {});
      {
        await using writer = await GgufWriter.create(input, { entries, tensors });
        for (const { dims } of tensors) {
          const values = new Float32Array(dims.reduce((a, b) => a * b)).fill(0.5);
          await writer.write(new Uint8Array(values.buffer));
        }
        await writer.finish();
      }
      goldens[name] = {};
      const importances = new Importances(tensors);
      for (const mix of mixNames) {
        const lines = async (given?: Importances) => {
          quantize(llama, input, output, parseTarget(mix).fileType, given);
          using file = await openGguf(output);
          const matrices = file.tensors.values().filter(({ dims }) => dims.length > 1);
          return typeLines(new Map(matrices.map(({ name, type }) => [name, tensorType(type).name])));
        };
        const weighted = await lines(importances);
        // It refuses q2_k_s without.
        const plain = mix === "q2_k_s" ? weighted : await lines();
        goldens[name][mix] = plain;
        if (JSON.stringify(weighted) !== JSON.stringify(plain)) {
          goldens[name][`${mix} with importances`] = weighted;
        }
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return goldens;
}

if (import.meta.main) {
  const made = JSON.stringify(await makeGoldens(), null, 1) + "\n";
  if (Deno.args.includes("--write")) await Deno.writeTextFile(GOLDENS, made);
  else if (made !== await Deno.readTextFile(GOLDENS)) {
    console.error("tests/mix_goldens.json differs from what llama.cpp says");
    Deno.exit(1);
  }
}
