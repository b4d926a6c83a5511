/**
 * Models whose layers keep a state of each sequence, through a whole engine: whatever happens to requests on the
 * way, each says the same tokens with the same log-probabilities, to the bit.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Engine } from "../src/engine/engine.ts";
import type { EngineParts } from "../src/engine/engine_parts.ts";
import { KvPool } from "../src/engine/kv_pool.ts";
import { openDraft } from "../src/engine/open_draft.ts";
import { openGguf } from "../src/gguf/mod.ts";
import { ModelError } from "../src/models/error.ts";
import { readModel } from "../src/runner/model_file.ts";
import { LIBRARY_CLASSES } from "../src/protocol/classes.ts";
import type { StateStats } from "../src/protocol/stats.ts";
import { resolveSampling } from "../src/protocol/sampling.ts";
import type { RunnerOptions } from "../src/runner/model_runner.ts";
import { chatTemplate, request, tokenizer } from "./support/fake_model.ts";
import { loadRunner, TemporaryFolder } from "./support/models.ts";
import { numbersFrom } from "./support/numbers.ts";
import { writePredictable } from "./support/predicting_models.ts";

const VOCAB = 512, CONTEXT = 256, REQUESTS = 32;

/** What is asked: some prompts begin with the same 100 tokens, some go on with another's, some are alone. */
const requests = createRequests();

function createRequests() {
  const next = numbersFrom(7);
  const tokens = (count: number) => Array.from({ length: count }, () => next(VOCAB));
  const system = tokens(100);
  return Array.from({ length: REQUESTS }, (_, id) => {
    const prompt = [...(id % 2 === 0 ? system : []), ...tokens(1 + next(id % 4 === 3 ? 100 : 20))];
    const sampling = resolveSampling({ seed: next(2 ** 31), temperature: 0.9, logprobs: 1 }, VOCAB);
    return { prompt, sampling, maxTokens: 4 + next(60) };
  });
}

/** Nobody waits for company. */
const CLASSES = LIBRARY_CLASSES.map((each) => ({ ...each, maxWaitMs: 0 }));

/** A way to compute them all. */
interface Manner {
  readonly runner?: RunnerOptions;
  readonly engine?: Partial<EngineParts>;
  /** Requests at once. */
  readonly inFlight?: number;
  /** Whether every second four requests are of the lower class, so that others take their places. */
  readonly isMixed?: boolean;
  /** Breaks off every third step that is long enough, somewhere in its middle. */
  readonly interrupts?: boolean;
  /** Further requests with the same beginnings, which are aborted on the way. */
  readonly aborts?: boolean;
  /** The engine is lost after so many steps, and another goes on with what was said. */
  readonly diesAfter?: number;
}

/** What became of all requests: everything that must not differ, and what it took. */
interface Outcome {
  readonly said: string[];
  readonly preemptions: number;
  readonly guessed: number;
  readonly states: StateStats;
}

class Run {
  readonly #path: string;
  readonly #manner: Manner;
  readonly #said = requests.map(() => ({ tokens: [] as number[], logprobs: [] as unknown[] }));
  readonly #open = new Set<number>();
  #asked = 0;
  #steps = 0;

  constructor(path: string, manner: Manner) {
    this.#path = path;
    this.#manner = manner;
  }

  async all(): Promise<Outcome> {
    const { diesAfter } = this.#manner;
    if (diesAfter !== undefined) await this.#drive(diesAfter);
    const { preemptions, kv, draftTokens: guessed } = await this.#drive(Infinity);
    return { said: this.#said.map((each) => JSON.stringify(each)), preemptions, guessed, states: kv.states! };
  }

  /** Runs an engine to the end, or for so many steps. */
  async #drive(stepsMax: number) {
    const { runner: options, engine: parts, inFlight = REQUESTS } = this.#manner;
    using runner = await loadRunner(this.#path, { contextLength: CONTEXT, kvTokens: 8192, ...options });
    const allocator = new KvPool(runner.kvBlocks, { memory: runner.kvArena });
    const engine = new Engine({ runner, tokenizer, chatTemplate, allocator, classes: CLASSES, ...parts });
    for (const id of this.#open) this.#add(engine, id);
    for (let step = 0; step < stepsMax; step++) {
      while (this.#open.size < inFlight && this.#asked < REQUESTS) {
        this.#open.add(this.#asked);
        this.#add(engine, this.#asked++);
      }
      if (!engine.busy) break;
      this.#disturb(engine);
      this.#step(engine);
      for (const { id, tokens, logprobs = [], error } of engine.takeEvents()) {
        this.#note(id, tokens, logprobs, error);
      }
    }
    return engine.stats();
  }

  #add(engine: Engine, id: number): void {
    const { prompt, sampling, maxTokens } = requests[id];
    const { tokens } = this.#said[id];
    const restored = tokens.length === 0 ? undefined : tokens;
    const name = this.#manner.isMixed === true && Math.floor(id / 4) % 2 === 0 ? "batch" : "interactive";
    engine.add(
      id,
      request("", {
        prompt: { tokens: prompt },
        sampling,
        maxTokens,
        ignoreEnd: true,
        restored,
        class: name,
      }),
    );
  }

  #disturb(engine: Engine): void {
    if (this.#manner.aborts !== true || this.#steps % 4 !== 0) return;
    const { prompt, sampling } = requests[this.#steps % REQUESTS];
    engine.abort(1000 + this.#steps - 8);
    engine.add(
      1000 + this.#steps,
      request("", { prompt: { tokens: [...prompt, 1, 2] }, sampling, ignoreEnd: true }),
    );
    // The last ones would never end.
    if (this.#open.size === 0) { for (let i = 0; i <= this.#steps; i += 4) engine.abort(1000 + i); }
  }

  #step(engine: Engine): void {
    let polls = 0;
    const isBroken = this.#manner.interrupts === true && this.#steps++ % 3 === 0;
    engine.step({ interrupted: () => isBroken && ++polls > 12, expected: null });
    if (this.#manner.interrupts !== true) this.#steps++;
  }

  #note(id: number, tokens: readonly number[], logprobs: readonly unknown[], error: unknown): void {
    assertEquals(error, undefined);
    if (id >= 1000) return;
    const said = this.#said[id];
    said.tokens.push(...tokens);
    said.logprobs.push(...logprobs);
    if (said.tokens.length === requests[id].maxTokens) this.#open.delete(id);
  }
}

/** What comes next is guessed, sometimes well. */
const GUESSING = {
  source: {
    msPerToken: 0,
    guess: (id: number, tokens: readonly number[], most: number) =>
      Array.from(
        { length: Math.min(3, most) },
        (_, i) => guessOf(id, tokens.length - requests[id].prompt.length + i),
      ),
    forget: () => {},
  },
};
/** Tokens of the answers, by request, once they are known. */
let answers: number[][] = [];

function guessOf(id: number, at: number): number {
  return at % 5 === 4 ? 1 : answers[id][at] ?? 1;
}

const ALONE: Manner = { engine: { prefixCache: false }, inFlight: 1 };
/** For two requests, or three short ones, that grow: there is more room for their beginnings. */
const LITTLE: RunnerOptions = { kvTokens: CONTEXT, logitsRowsMax: 4 };
const MANNERS: Record<string, Manner> = {
  "32 at once, 2 threads": { runner: { threads: 2 } },
  "7 at once in chunks of 24": { runner: { batchTokensMax: 24 }, inFlight: 7 },
  "one after another, from snapshots": { inFlight: 1 },
  "little memory": { runner: LITTLE },
  "little memory, two classes": { runner: LITTLE, inFlight: 8, isMixed: true },
  "little memory without a prefix cache": { runner: LITTLE, engine: { prefixCache: false } },
  "interrupted steps": { interrupts: true, inFlight: 12 },
  "aborted neighbours": { aborts: true, inFlight: 5 },
  "a lost engine": { diesAfter: 25, inFlight: 9 },
  "guesses, most of them wrong": { engine: { speculation: GUESSING }, inFlight: 2 },
  "all of it": { runner: LITTLE, interrupts: true, aborts: true, diesAfter: 40, inFlight: 12, isMixed: true },
};

for (const shape of ["qwen35-tiny", "lfm2-tiny"]) {
  Deno.test(`Engine gives requests to ${shape} one answer, whatever happens to their states`, async () => {
    using folder = new TemporaryFolder();
    const path = await folder.randomModel(shape, "q8_0");
    const alone = await new Run(path, ALONE).all();
    assert(new Set(alone.said).size > REQUESTS / 2, "answers differ");
    answers = alone.said.map((said) => JSON.parse(said).tokens);
    let preemptions = 0, hits = 0, guessed = 0;
    for (const [name, manner] of Object.entries(MANNERS)) {
      const outcome = await new Run(path, manner).all();
      outcome.said.forEach((said, id) => assertEquals(said, alone.said[id], `${name}: request ${id}`));
      assertEquals(outcome.states.used, outcome.states.snapshots, `${name}: snapshots alone are left`);
      preemptions += outcome.preemptions;
      hits += outcome.states.hits;
      guessed += outcome.guessed;
    }
    const counts = `${preemptions} preemptions, ${hits} from snapshots, ${guessed} guesses`;
    assert(preemptions > 0 && hits > 0 && guessed > 0, counts);
  });
}

/** Ways in which a predictor follows some requests, loses others, and finds shared beginnings. */
const PREDICTING: Record<string, Manner> = {
  "two at once in chunks of 24": { runner: { batchTokensMax: 24 }, inFlight: 2 },
  "all of it": { runner: LITTLE, interrupts: true, aborts: true, diesAfter: 40, inFlight: 3, isMixed: true },
};

Deno.test("Engine gives requests one answer, whatever happens to what a predictor knows of them", async () => {
  using folder = new TemporaryFolder();
  const path = await writePredictable(folder, "qwen35-tiny", 0.3);
  const alone = await new Run(path, ALONE).all();
  let guessed = 0;
  for (const [name, { runner, ...manner }] of Object.entries(PREDICTING)) {
    const run = new Run(path, {
      ...manner,
      runner: { ...runner, predicts: true },
      engine: { speculation: {} },
    });
    const outcome = await run.all();
    outcome.said.forEach((said, id) => assertEquals(said, alone.said[id], `${name}: request ${id}`));
    guessed += outcome.guessed;
  }
  assert(guessed > 0, "nothing was guessed");
});

Deno.test("openDraft() refuses a model with states", async () => {
  using folder = new TemporaryFolder();
  const path = await folder.randomModel("qwen35-tiny", "q8_0");
  using file = await openGguf(path);
  const answering = {
    runner: { contextLength: CONTEXT, batchTokensMax: 64 },
    tokenizer: readModel(file).tokenizer,
  };
  const { signal } = new AbortController();
  await assertRejects(
    () => openDraft(path, {}, answering, { signal }),
    ModelError,
    "keep a state of each sequence",
  );
});
