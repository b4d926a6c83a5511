import type { BlockAllocator, KvWindows, StateSlots, StepItem, StepResult } from "../../scheduler/mod.ts";
import { violate } from "./violation.ts";

const VOCAB = 32_000;
/** Every so manieth token ends its answer. */
const END_EVERY = 61;

function mix(a: number, b: number): number {
  let hash = Math.imul(a ^ b, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash + 0x9e3779b9, 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** Whether a token ends its answer. */
export function isEnd(token: number): boolean {
  return token % END_EVERY === 0;
}

/** What the kernel computes in. */
export interface KernelMemory {
  readonly blockTokens: number;
  readonly windows: KvWindows;
  /** For a model whose sequences have states. */
  readonly states?: StateSlots;
}

/** The next token from the hashes at the first and last filled slot of each block. */
function chooseToken(blockTokens: number, length: number, hashAt: (position: number) => number): number {
  let digest = length;
  for (let at = 0; at < length; at += blockTokens) {
    digest = mix(mix(digest, hashAt(at)), hashAt(Math.min(at + blockTokens, length) - 1));
  }
  return (digest >>> 0) % VOCAB;
}

/** What a request's answer has to be, whatever happens to it on the way. */
export class Oracle {
  readonly #blockTokens: number;
  readonly #hashes: number[] = [];
  readonly #promptTokens: number;
  readonly #answer: number[] = [];

  constructor(prompt: readonly number[], blockTokens: number) {
    this.#blockTokens = blockTokens;
    this.#promptTokens = prompt.length;
    for (const token of prompt) this.#push(token);
  }

  /** Token `i` of the answer. */
  token(i: number): number {
    while (this.#answer.length <= i) {
      const token = chooseToken(this.#blockTokens, this.#hashes.length, (position) => this.#hashes[position]);
      this.#answer.push(token);
      this.#push(token);
    }
    return this.#answer[i];
  }

  /** Length of the answer when at most `maxTokens` are asked for. */
  length(maxTokens: number): number {
    for (let i = 0; i < maxTokens; i++) if (isEnd(this.token(i))) return i + 1;
    return maxTokens;
  }

  #push(token: number): void {
    this.#hashes.push(mix(this.#hashes.at(-1) ?? 1, token));
  }
}

/**
 * Computes a hash of the prefix where a model computes keys and values, and stores it in the same places:
 * what is read from a wrong block, or was written by another sequence, changes the tokens that come after it.
 * The state of a sequence is such a hash, too: then each hash is made of the state, and not of what the blocks
 * have.
 */
export class FakeKernel {
  readonly #allocator: BlockAllocator;
  readonly #blockTokens: number;
  readonly #windows: KvWindows;
  readonly #states?: StateSlots;
  readonly #hashes: Int32Array;
  /** By slot, the hash of all tokens that its state has seen. */
  readonly #stateHashes: Int32Array;
  /** Who wrote a block: tenants are numbered from 1. */
  readonly #tenants: Uint8Array;

  constructor(allocator: BlockAllocator, { blockTokens, windows, states }: KernelMemory) {
    this.#allocator = allocator;
    this.#blockTokens = blockTokens;
    this.#windows = windows;
    this.#states = states;
    this.#hashes = new Int32Array(allocator.blocks * blockTokens);
    this.#stateHashes = new Int32Array(states?.slots ?? 0);
    this.#tenants = new Uint8Array(allocator.blocks);
  }

  /** Computes a slice, its guesses too, and chooses the next tokens if it reaches the end. */
  compute(item: StepItem, tenant: number): StepResult | null {
    const { first, count, tokens, draft } = item;
    const end = first + count;
    this.#checkReads(item, tenant);
    let hash = this.#hashBefore(item);
    for (let position = first; position < end + draft.length; position++) {
      hash = mix(hash, position < end ? tokens[position] : draft[position - end]);
      item.tables.forEach((_, group) => {
        const slot = this.#slot(item, group, position);
        if (slot === undefined) {
          violate("step-bounds", `request ${item.id} has no block for position ${position}`);
        }
        this.#write(item.id, slot!, hash, tenant);
      });
    }
    this.#checkWindows(item);
    if (this.#states !== undefined) this.#stateHashes[item.state!.write] = hash;
    return item.reachesEnd ? this.#choose(item) : null;
  }

  /** The next token, and those behind it as long as they were guessed. */
  #choose(item: StepItem): StepResult {
    const { id, draft, tokens } = item;
    const chosen: number[] = [];
    let guessed = 0;
    for (;;) {
      const hashAt = (position: number) => this.#hashes[this.#slot(item, 0, position)!];
      const token = chooseToken(this.#blockTokens, tokens.length + guessed, hashAt);
      chosen.push(token);
      if (token !== draft[guessed] || isEnd(token)) break;
      guessed++;
    }
    return { id, token: chosen[0], more: chosen.slice(1), guessed, isLast: isEnd(chosen.at(-1)!) };
  }

  /** Makes a state something that no tokens give. */
  spoilState(slot: number | undefined): void {
    if (slot !== undefined) this.#stateHashes[slot] ^= 0x55555555;
  }

  /** What the tokens before a slice come to. A slice writes into a state of its own. */
  #hashBefore(item: StepItem): number {
    const { id, first, state } = item;
    const before = first === 0 ? 1 : this.#hashes[this.#slot(item, 0, first - 1)!];
    const states = this.#states;
    if (states === undefined) return before;
    if (state === undefined) violate("step-bounds", `request ${id} has no place for its state`);
    const { read, write } = state!;
    if (states.users(write) !== 1 || states.isSnapshot(write)) {
      violate("writes-own", `request ${id} writes into state ${write}, which is not its own`);
    }
    if (first > 0 && this.#stateHashes[read] !== before) {
      violate("state-there", `request ${id} does not find the state after ${first} tokens in slot ${read}`);
    }
    return before;
  }

  #slot({ tables }: StepItem, group: number, position: number): number | undefined {
    const block = tables[group].blockAt(Math.floor(position / this.#blockTokens));
    return block === undefined ? undefined : block * this.#blockTokens + position % this.#blockTokens;
  }

  #checkReads({ id, first, tables }: StepItem, tenant: number): void {
    const places = Math.ceil(first / this.#blockTokens);
    for (const { runs } of tables) {
      for (const run of runs) {
        for (let i = 0; i < run.length && run.at + i < places; i++) {
          if (this.#tenants[run.first + i] === tenant) continue;
          violate("tenants-apart", `request ${id} reads a stranger's block ${run.first + i}`);
        }
      }
    }
  }

  #write(id: number, slot: number, hash: number, tenant: number): void {
    const block = Math.floor(slot / this.#blockTokens);
    if (this.#allocator.references(block) !== 1) {
      violate(
        "writes-own",
        `request ${id} writes block ${block}, which has ${this.#allocator.references(block)} users`,
      );
    }
    this.#tenants[block] = tenant;
    this.#hashes[slot] = hash;
  }

  /** What each query of a slice sees in a group with a window is what the first group has there. */
  #checkWindows(item: StepItem): void {
    const { id, first } = item;
    const count = item.count + item.draft.length;
    this.#windows.forEach((window, group) => {
      if (window === undefined) return;
      for (let position = Math.max(0, first + 1 - window); position < first + count; position++) {
        const slot = this.#slot(item, group, position);
        if (slot !== undefined && this.#hashes[slot] === this.#hashes[this.#slot(item, 0, position)!]) {
          continue;
        }
        violate(
          "window-there",
          `request ${id} does not find position ${position} in group ${group} at ${first}`,
        );
      }
    });
  }
}
