import type { BlockAllocator, StepItem, StepResult } from "../../scheduler/mod.ts";
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
 * Computes a hash of the prefix where a model computes keys and values, and stores it in the same places: what is read
 * from a wrong block, or was written by another sequence, changes the tokens that come after it.
 */
export class FakeKernel {
  readonly #allocator: BlockAllocator;
  readonly #blockTokens: number;
  readonly #hashes: Int32Array;
  /** Who wrote a block: tenants are numbered from 1. */
  readonly #tenants: Uint8Array;

  constructor(allocator: BlockAllocator, blockTokens: number) {
    this.#allocator = allocator;
    this.#blockTokens = blockTokens;
    this.#hashes = new Int32Array(allocator.blocks * blockTokens);
    this.#tenants = new Uint8Array(allocator.blocks);
  }

  /** Computes a slice and chooses the next token if it reaches the end. */
  compute(item: StepItem, tenant: number): StepResult | null {
    const { first, count, tokens, blocks } = item;
    const slot = (position: number) =>
      blocks[Math.floor(position / this.#blockTokens)] * this.#blockTokens + position % this.#blockTokens;
    for (let position = 0; position < first; position += this.#blockTokens) {
      const block = blocks[position / this.#blockTokens];
      if (this.#tenants[block] !== tenant) {
        violate("tenants-apart", `request ${item.id} reads a stranger's block ${block}`);
      }
    }
    for (let position = first; position < first + count; position++) {
      const block = blocks[Math.floor(position / this.#blockTokens)];
      if (this.#allocator.references(block) !== 1) {
        violate(
          "writes-own",
          `request ${item.id} writes block ${block}, which has ${this.#allocator.references(block)} users`,
        );
      }
      this.#tenants[block] = tenant;
      const before = position === 0 ? 1 : this.#hashes[slot(position - 1)];
      this.#hashes[slot(position)] = mix(before, tokens[position]);
    }
    if (!item.reachesEnd) return null;
    const token = chooseToken(this.#blockTokens, first + count, (position) => this.#hashes[slot(position)]);
    return { id: item.id, token, isLast: isEnd(token) };
  }
}
