/**
 * Layers that see a window of tokens beside layers that see all: the scheduler, the pool, the prefix cache
 * and the kernels together, against a naive reference and bit for bit against themselves.
 */

import { assert, assertEquals } from "@std/assert";
import { PrefixCache, Scheduler } from "../scheduler/mod.ts";
import { KvPool } from "../src/engine/kv_pool.ts";
import { openGguf } from "../src/gguf/mod.ts";
import type { ModelFamily } from "../src/models/family.ts";
import { modelShape } from "../src/models/shapes.ts";
import { readHyperparameters } from "../src/models/read_hyperparameters.ts";
import { familyOf } from "../src/models/registry.ts";
import { BLOCK_TOKENS } from "../src/runner/batch.ts";
import { loadModelRunner, type ModelRunner } from "../src/runner/model_runner.ts";
import { TemporaryFolder } from "./support/models.ts";
import { referenceLogits } from "./support/reference_model.ts";

/** Keys and values of different sizes; long enough for two chunks of attention. */
const SHAPE = {
  ...modelShape("llama-tiny"),
  ...{ hidden: 64, feedForward: 96, layers: 6, headDim: 32, valueDim: 24 },
};
const PROMPT = Array.from({ length: 290 }, (_, i) => (i * 7919 + 13) % 512);
const ANSWER_TOKENS = 24;
/** Of one block of tokens, smaller and larger; of a chunk; larger than the context. */
const WINDOWS = [5, 16, 100, 256, 1000];
const CLASSES = ["all", "urgent"].map((name, priority) => ({
  ...{ name, priority, maxBatch: 8, maxWaitMs: 0, preemptible: true },
  queueLimit: { requests: 100, tokens: 1e6 },
}));

/** Layers 2 and 5 see everything, the others a window. */
function windowed(family: ModelFamily, window: number): ModelFamily {
  return {
    ...family,
    refine: (h) => ({ ...h, layers: h.layers.map((layer, i) => i % 3 === 2 ? layer : { ...layer, window }) }),
  };
}

interface Manner {
  stepTokensMax?: number;
  /** Blocks in all; default: the runner's. */
  blocks?: number;
  prefixCache?: boolean;
  /** Whether the last request comes when the others have begun, and before them. */
  isUrgent?: boolean;
  /** Requests, each with this prompt. */
  prompts?: readonly (readonly number[])[];
}

/**
 * What came of a request: logits of its prompt's end and of each token of its answer but the last, and the
 * tokens.
 */
interface Outcome {
  readonly logits: Uint32Array[];
  readonly tokens: number[];
}

interface Run {
  readonly outcomes: Outcome[];
  /** Most blocks that a table of a group held after a step, and tokens of prompts found in the cache. */
  readonly blocksMax: number[];
  readonly foundTokens: number;
  readonly preempted: number;
  /** Most sequences in a step. */
  readonly runningMax: number;
}

/** Serves the requests greedily, one after the other where the cache shall find them, else together. */
function serve(runner: ModelRunner, manner: Manner): Run {
  const { stepTokensMax = 64, prompts = [PROMPT], prefixCache = false, isUrgent = false, blocks } = manner;
  const pool = new KvPool(runner.kvBlocks);
  const held = blocks === undefined ? [] : pool.tryAllocate(pool.blocks - blocks)!;
  const windows = runner.kvWindows;
  const cache = new PrefixCache(pool, {
    blockTokens: BLOCK_TOKENS,
    blocksMax: prefixCache ? undefined : 0,
    windows,
  });
  const scheduler = new Scheduler({
    ...{ allocator: pool, blockTokens: BLOCK_TOKENS, cache, windows, stepTokensMax },
    ...{ stepSequencesMax: 8, classes: CLASSES },
  });
  const outcomes: Outcome[] = prompts.map(() => ({ logits: [], tokens: [] }));
  const blocksMax = windows.map(() => 0);
  let now = 0, foundTokens = 0, preempted = 0, runningMax = 0;
  const submit = (id: number) => {
    const isLast = id === prompts.length - 1;
    const request = {
      id,
      class: isUrgent && isLast ? "urgent" : "all",
      tokens: prompts[id],
      maxTokens: ANSWER_TOKENS,
    };
    foundTokens += cache.peek("", request.tokens);
    assert(scheduler.submit(request, now).accepted);
  };
  for (let id = 0; id < prompts.length; id++) {
    submit(id);
    const last = prompts.length - 1;
    // With an urgent one to come the others go on for a while.
    const until = isUrgent && id === last - 1 ? now + 12 : Infinity;
    while (scheduler.isBusy && now < until && (prefixCache || id === last || until < Infinity)) {
      const plan = scheduler.plan(now++);
      preempted += plan.preempted.length;
      runningMax = Math.max(runningMax, plan.items.length);
      assert(plan.items.length > 0 && runner.forward(plan.items));
      const rows: number[] = [], ends: number[] = [];
      let row = 0;
      for (const { id, count, reachesEnd } of plan.items) {
        row += count;
        if (!reachesEnd) continue;
        rows.push(row - 1);
        ends.push(id);
      }
      const results = rows.length === 0 ? [] : choose(runner, rows).map((bits, i) => {
        const values = new Float32Array(bits.buffer);
        const token = values.indexOf(Math.max(...values));
        outcomes[ends[i]].logits.push(bits);
        outcomes[ends[i]].tokens.push(token);
        return { id: ends[i], token };
      });
      scheduler.complete(plan.step, results, 1, now);
      for (const { tables } of scheduler.sequences()) {
        tables.forEach((table, group) => blocksMax[group] = Math.max(blocksMax[group], table.blocks));
      }
      cache.verify();
      assertEquals(runner.kvBlocks.verify(), "none");
    }
  }
  cache.evict(pool.blocks);
  pool.release(held);
  assertEquals(pool.freeBlocks, pool.blocks, "blocks were lost");
  return { outcomes, blocksMax, foundTokens, preempted, runningMax };
}

function choose(runner: ModelRunner, rows: number[]): Uint32Array[] {
  runner.logits(rows);
  const all = new Uint32Array(runner.readLogits().buffer);
  const { vocab } = runner.hyperparameters;
  return rows.map((_, i) => all.slice(i * vocab, (i + 1) * vocab));
}

function assertSame(actual: Outcome, expected: Outcome, manner: string): void {
  assertEquals(actual.tokens, expected.tokens, manner);
  expected.logits.forEach((bits, i) => {
    assert(bits.every((value, k) => value === actual.logits[i][k]), `${manner}: logits ${i} differ`);
  });
}

async function withModel(window: number, use: (runner: ModelRunner, path: string) => unknown): Promise<void> {
  using folder = new TemporaryFolder();
  const path = await folder.randomModel(SHAPE, "f32");
  using file = await openGguf(path);
  const family = windowed(familyOf(file), window);
  using runner = await loadModelRunner(file, { threads: 2, kvFormat: "f32", family, kvTokens: 4096 });
  await use(runner, path);
}

for (const window of WINDOWS) {
  Deno.test(`with windows of ${window} tokens the kernels compute what a naive reference does, to the same bits in any manner`, async () => {
    await withModel(window, async (runner, path) => {
      assertEquals(runner.kvWindows, [undefined, window, window]);
      const { outcomes: [whole], blocksMax } = serve(runner, { stepTokensMax: 300 });
      using file = await openGguf(path);
      const h = readHyperparameters(file, windowed(familyOf(file), window));
      const expected = referenceLogits(file, h, [...PROMPT, ...whole.tokens]);
      for (const i of [0, 1, ANSWER_TOKENS - 1]) {
        const logits = new Float32Array(whole.logits[i].buffer), wanted = expected[PROMPT.length - 1 + i];
        const spread = Math.sqrt(wanted.reduce((sum, value) => sum + value * value, 0) / wanted.length);
        const worst = Math.max(...wanted.map((value, k) => Math.abs(value - logits[k]))) / spread;
        assert(worst < 1e-4, `logits ${i}: ${worst}`);
      }
      // After a step nothing is left but what the next token sees, in whole blocks.
      const all = Math.ceil((PROMPT.length + ANSWER_TOKENS) / BLOCK_TOKENS);
      assertEquals(blocksMax[0], all);
      const most = Math.min(all, Math.ceil((window - 1) / BLOCK_TOKENS) + 1);
      assert(blocksMax[1] <= most && blocksMax[2] <= most, `${blocksMax} of ${most}`);
      const other = PROMPT.map((token) => (token * 3 + 1) % 512);
      const manners: Record<string, Manner> = {
        "in steps of 1": { stepTokensMax: 1 },
        "in steps of 7": { stepTokensMax: 7 },
        "beside others": {
          stepTokensMax: 50,
          prompts: [PROMPT, other, other.slice(0, 100), PROMPT.slice(0, 20)],
        },
        "with little room": { blocks: 70, stepTokensMax: 40, prompts: [PROMPT, other], isUrgent: true },
        "found in the cache": {
          prefixCache: true,
          prompts: [PROMPT, [...PROMPT.slice(0, 200), ...other.slice(200)], PROMPT],
        },
      };
      for (const [name, manner] of Object.entries(manners)) {
        const { outcomes, foundTokens, preempted } = serve(runner, manner);
        assertSame(outcomes[0], whole, name);

        if (manner.isUrgent === true && window >= 256) assert(preempted > 0, name);
        if (manner.prefixCache !== true) continue;
        assertSame(outcomes[2], whole, name);
        assertEquals(foundTokens, 192 + 288, "tokens that both prompts begin with, in whole blocks");
      }
    });
  });
}

Deno.test("the memory of a cache with groups is what its sizes say", async () => {
  await withModel(16, ({ kvArena, kvBlocks, kvBytesPerSlot, kvBytesPerToken }) => {
    // Six layers in three groups.
    assertEquals(kvBytesPerToken, 3 * kvBytesPerSlot);
    if (kvArena.residentBytes() === undefined) return;
    kvArena.prefault(0, 2 ** 20);
    const bytes = kvBlocks.blocks * BLOCK_TOKENS * kvBytesPerSlot;
    assert(kvArena.residentBytes()! >= bytes && kvArena.residentBytes()! < bytes + 2 ** 16);
  });
});

Deno.test("sequences with windows take fewer blocks than without, and all together fit where they would not", async () => {
  await withModel(16, (runner) => {
    const places = Math.ceil((PROMPT.length + ANSWER_TOKENS) / BLOCK_TOKENS);
    // Three groups, of which two need two blocks and those of a step.
    const { preempted } = serve(runner, { stepTokensMax: 16, blocks: places + 2 * 3 });
    assertEquals(preempted, 0);
    // Two such sequences at the same time, where one without windows would take three times as many.
    const both = serve(runner, {
      stepTokensMax: 16,
      blocks: 2 * (places + 2 * 3),
      prompts: [PROMPT, PROMPT.toReversed()],
    });
    assertEquals([both.preempted, both.runningMax], [0, 2]);
  });
});
