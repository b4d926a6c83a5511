import { limits, structs } from "../ffi/symbols.ts";
import { samplingDefaults } from "../protocol/options/sampling.ts";
import type { SamplingParams } from "../protocol/sampling.ts";

/** Nothing is drawn: for rows of which only the alternatives are of interest, or nothing. */
export const GREEDY: SamplingParams = {
  ...samplingDefaults as Omit<SamplingParams, "logitBias" | "seed">,
  temperature: 0,
  logitBias: [],
  seed: 0,
};

/** What is needed to choose the next token of one sequence. */
export interface SampleRequest {
  readonly params: SamplingParams;
  /** All tokens of the sequence so far; the penalties look at the last ones. */
  readonly tokens: ArrayLike<number>;
  /** The grammar that the token must follow, by its number in the library, and the state before it. */
  readonly constraint?: { readonly grammar: number; readonly state: number };
}

/** A chosen token. Log-probabilities are those of the raw logits, before temperature and penalties. */
export interface SampledToken {
  id: number;
  logprob: number;
  /** The likeliest tokens, best first, as many as were asked for. */
  top: { id: number; logprob: number }[];
}

const WORD_BYTES = 4;
const PARAMS = structs.SampleParams;
const PARAMS_WORDS = PARAMS.bytes / WORD_BYTES;
const PARAMS_FIELDS = Object.entries(PARAMS.fields) as [
  keyof typeof PARAMS.fields,
  { offset: number; type: string },
][];
const RESULT = structs.SampleResult;
const RESULT_WORDS = RESULT.bytes / WORD_BYTES;
/** Set where nobody asks for log-probabilities: they cost a pass over the row. */
const SKIP_LOGPROB = 1;

/**
 * Sampling parameters and results of one step in the form that the kernels read and write. The memory is reused
 * from step to step and grows when it must.
 */
export class SampleBatch {
  readonly #paramsBytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #floats: Float32Array;
  readonly #outBytes: Uint8Array;
  readonly #outWords: Uint32Array;
  readonly #outFloats: Float32Array;
  #data = new Uint32Array(1024);
  #dataFloats = new Float32Array(this.#data.buffer);

  constructor(rowsMax: number) {
    this.#words = new Uint32Array(rowsMax * PARAMS_WORDS);
    this.#floats = new Float32Array(this.#words.buffer);
    this.#paramsBytes = new Uint8Array(this.#words.buffer);
    this.#outWords = new Uint32Array(rowsMax * RESULT_WORDS);
    this.#outFloats = new Float32Array(this.#outWords.buffer);
    this.#outBytes = new Uint8Array(this.#outWords.buffer);
  }

  /** The random number of a token depends on the seed and its position alone, so batches do not change it. */
  encode(requests: readonly SampleRequest[]): { params: Uint8Array; data: Uint32Array; out: Uint8Array } {
    this.#reserve(requests);
    let at = 0;
    requests.forEach((request, row) => at = this.#encodeRow(request, row, at));
    return {
      params: this.#paramsBytes.subarray(0, requests.length * PARAMS.bytes),
      // An empty buffer would reach the library as a null pointer.
      data: this.#data.subarray(0, Math.max(at, 1)),
      out: this.#outBytes.subarray(0, requests.length * RESULT.bytes),
    };
  }

  #encodeRow({ params, tokens, constraint }: SampleRequest, row: number, dataFirst: number): number {
    const history = historyLength(params, tokens);
    const biasFirst = dataFirst + history;
    const biases = params.logitBias;
    for (let i = 0; i < history; i++) this.#data[dataFirst + i] = tokens[tokens.length - history + i];
    biases.forEach(([id, bias], i) => {
      this.#data[biasFirst + 2 * i] = id;
      this.#dataFloats[biasFirst + 2 * i + 1] = bias;
    });
    this.#writeParams(row, {
      temperature: params.temperature,
      topP: params.topP,
      minP: params.minP,
      repeatPenalty: params.repeatPenalty,
      presencePenalty: params.presencePenalty,
      frequencyPenalty: params.frequencyPenalty,
      topK: params.topK,
      seedLo: params.seed >>> 0,
      seedHi: Math.floor(params.seed / 2 ** 32),
      position: tokens.length,
      logprobsN: params.logprobs ?? 0,
      historyFirst: dataFirst,
      historyCount: history,
      biasFirst,
      biasCount: biases.length,
      flags: params.logprobs === undefined ? SKIP_LOGPROB : 0,
      grammar: constraint?.grammar ?? limits.none,
      grammarState: constraint?.state ?? 0,
    });
    return biasFirst + 2 * biases.length;
  }

  #writeParams(row: number, values: Readonly<Record<keyof typeof PARAMS.fields, number>>): void {
    for (const [name, { offset, type }] of PARAMS_FIELDS) {
      const words = type === "f32" ? this.#floats : this.#words;
      words[row * PARAMS_WORDS + offset / WORD_BYTES] = values[name];
    }
  }

  #reserve(requests: readonly SampleRequest[]): void {
    const needed = requests.reduce(
      (sum, { params, tokens }) => sum + historyLength(params, tokens) + 2 * params.logitBias.length,
      0,
    );
    if (needed <= this.#data.length) return;
    this.#data = new Uint32Array(needed * 2);
    this.#dataFloats = new Float32Array(this.#data.buffer);
  }

  /** The results of the step encoded last, row by row. */
  decode(rows: number): SampledToken[] {
    const { token, logprob, n, top } = RESULT.fields;
    const words = this.#outWords, floats = this.#outFloats;
    return Array.from({ length: rows }, (_, row) => {
      const at = ({ offset }: { offset: number }) => row * RESULT_WORDS + offset / WORD_BYTES;
      return {
        id: words[at(token)],
        logprob: floats[at(logprob)],
        top: Array.from({ length: words[at(n)] }, (_, i) => ({
          id: words[at(top) + 2 * i],
          logprob: floats[at(top) + 2 * i + 1],
        })),
      };
    });
  }
}

/** How many of the latest tokens the penalties look at: none where no penalty is on. */
function historyLength(params: SamplingParams, tokens: ArrayLike<number>): number {
  const penalises = params.repeatPenalty !== 1 || params.presencePenalty !== 0 ||
    params.frequencyPenalty !== 0;
  return penalises ? Math.min(params.penaltyTokens, tokens.length) : 0;
}
