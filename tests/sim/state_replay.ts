import { PrefixCache, SNAPSHOT_POLICY, type SnapshotPolicy, StateSlots } from "../../scheduler/mod.ts";
import { KvLedger } from "../../scheduler/kv_ledger.ts";
import { MemoryAllocator } from "../../scheduler/memory_allocator.ts";
import { Sequence } from "../../scheduler/sequence.ts";
import { lastingBorders } from "../../scheduler/snapshot_policy.ts";

/** A request of a trace: its text block by block, equal numbers for equal blocks, and where its answer begins. */
export interface Turn {
  readonly blocks: readonly number[];
  readonly promptBlocks: number;
}

/** A way to keep states, to be compared with others. */
export interface SnapshotRules {
  readonly name: string;
  readonly policy: SnapshotPolicy;
  /** Whether states are kept where prompts leave each other. */
  readonly keepsForks: boolean;
}

/** What a way of keeping states came to. */
export interface StateHits {
  /** Blocks of prompts that need not be computed. */
  readonly found: number;
  /** Snapshots made; each is read and written once more than without. */
  readonly snapshots: number;
}

/** Ways to keep states: what is chosen, and what it is chosen from. A block has one token here. */
export const SNAPSHOT_RULES: readonly SnapshotRules[] = [
  rules("prompts' ends", { answerBlocks: Infinity, promptBlocks: Infinity }, false),
  rules("and forks", { answerBlocks: Infinity, promptBlocks: Infinity }),
  ...[32, 8, 2].map((answerBlocks) =>
    rules(`and the last ${answerBlocks} blocks of answers`, { answerBlocks, promptBlocks: Infinity })
  ),
  rules("and every 128 blocks of prompts, the last", {}),
  rules("forks closer than 4 blocks", { gapBlocks: 1 }),
  rules("forks farther than 32 blocks", { gapBlocks: 32 }),
];

function rules(name: string, change: Partial<SnapshotPolicy>, keepsForks = true): SnapshotRules {
  return { name, policy: { ...SNAPSHOT_POLICY, tailTokens: 1, ...change }, keepsForks };
}

/** What each of the rules comes to, and at first what a model without states finds. */
export function* compareSnapshotRules(
  turns: readonly Turn[],
  memory: { blocks: number; slotBlocks: number },
): Generator<StateHits & { readonly name: string }> {
  const none = { ...SNAPSHOT_RULES[0], name: "without states" };
  for (const each of [none, ...SNAPSHOT_RULES]) {
    const slotBlocks = each === none ? 0 : memory.slotBlocks;
    yield { name: each.name, ...replayStates(turns, { ...memory, slotBlocks, rules: each }) };
  }
}

/** Blocks of KV that a hash of the trace stands for: 512 tokens. */
const HASH_BLOCKS = 32;
/** Blocks of a prompt that a step computes. */
const STEP_BLOCKS = 32;
const TOKENS = 16;

/**
 * Reads a trace in the form of Mooncake's: lengths and hash_ids of 512 tokens each. Its answers are unknown:
 * one that repeats all full blocks of an earlier request and is longer is taken to go on with its answer.
 */
export function parseTurns(text: string): Turn[] {
  let unique = 0;
  const byPrefix = new Map<string, Turn>();
  return text.split("\n").filter((line) => line !== "").map((line, i) => {
    const { hash_ids: ids, input_length: input, output_length: output } = JSON.parse(line);
    if (!Array.isArray(ids) || !(input > 0 && output > 0)) {
      throw new RangeError(`Line ${i + 1} of the trace has no lengths and hash_ids`);
    }
    const promptBlocks = Math.max(1, Math.floor(input / TOKENS));
    const full = Math.floor(input / TOKENS / HASH_BLOCKS);
    const length = promptBlocks + Math.floor(output / TOKENS);
    let before: Turn | undefined;
    for (let end = full; end > 0 && before === undefined; end--) {
      before = byPrefix.get(ids.slice(0, end).join());
      if (before !== undefined && before.blocks.length > promptBlocks) before = undefined;
    }
    const blocks = Array.from({ length }, (_, at) => {
      const known = Math.floor(at / HASH_BLOCKS) < full ? ids[Math.floor(at / HASH_BLOCKS)] : undefined;
      if (before !== undefined && at < before.blocks.length) return before.blocks[at];
      return known === undefined ? -1 - ++unique : known * HASH_BLOCKS + at % HASH_BLOCKS;
    });
    const turn = { blocks, promptBlocks };
    if (full > 0) byPrefix.set(ids.slice(0, full).join(), turn);
    return turn;
  });
}

/**
 * Replays requests one at a time with memory for so many blocks, of which a state takes `slotBlocks`; 0: a
 * model without states.
 */
export function replayStates(
  turns: readonly Turn[],
  { blocks, slotBlocks, rules }: { blocks: number; slotBlocks: number; rules: SnapshotRules },
): StateHits {
  const allocator = new MemoryAllocator(blocks);
  const states = slotBlocks === 0 ? undefined : new StateSlots(allocator, slotBlocks);
  const kv = { blockTokens: 1, stepTokensMax: STEP_BLOCKS, windows: [undefined], states };
  const ledger = new KvLedger(allocator, new PrefixCache(allocator, kv), {
    ...kv,
    snapshotPolicy: rules.policy,
  });
  let found = 0;
  turns.forEach((turn, id) => {
    // It would leave nothing of what others have.
    if (turn.blocks.length > blocks / 2) return;
    const prompt = turn.blocks.slice(0, turn.promptBlocks);
    const request = { id, class: "", tokens: prompt, maxTokens: 1 + turn.blocks.length - turn.promptBlocks };
    const sequence = new Sequence(request, { classIndex: 0, groups: 1, order: id, now: 0 });
    ledger.attach(sequence);
    if (!rules.keepsForks) sequence.borders = lastingBorders(sequence, [], 1, rules.policy);
    found += sequence.first;
    for (const block of turn.blocks.slice(turn.promptBlocks)) {
      computeAll(ledger, sequence);
      sequence.tokens.push(block);
    }
    computeAll(ledger, sequence);
    ledger.release(sequence);
  });
  return { found, snapshots: ledger.stateFigures?.kept ?? 0 };
}

function computeAll(ledger: KvLedger, sequence: Sequence): void {
  while (sequence.missing > 0) {
    const end = sequence.first + Math.min(sequence.reach, STEP_BLOCKS);
    if (!ledger.reserve(sequence, end)) {
      throw new RangeError(`A request of ${sequence.tokens.length} blocks has no room`);
    }
    sequence.first = end;
    ledger.advance(sequence);
  }
}
