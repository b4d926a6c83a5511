/** Seeded mutations of valid files. `KUMI_FUZZ=100000` runs that many instead of 2,000. */

import { assert } from "@std/assert";
import { MemorySource } from "../src/gguf/byte_source.ts";
import { HEADER_BUDGET_BYTES } from "../src/gguf/cursor.ts";
import { GgufError } from "../src/gguf/error.ts";
import { parseHeader } from "../src/gguf/header.ts";
import { RandomWords } from "../src/gguf/random_blocks.ts";
import { cpuMs } from "./support/cpu_time.ts";
import { collectGarbage, isolateBytes } from "./support/gguf_memory.ts";
import { type Field, headerFields, sampleFile, sharedData } from "./support/gguf_sample.ts";

const MUTATIONS = Number(Deno.env.get("KUMI_FUZZ") ?? 2000);
const SEED = 20260101;
const FILE_MS_MAX = 1000;
const MEMORY_GROWTH_MAX = 64e6;
// The bound is for one file; with the garbage of so many together it is only stricter.
const FILES_PER_COLLECTION = 200;

/** A valid file: its header, and its whole size (tensor data reads as zeros). */
interface Seed {
  header: Uint8Array;
  size: number;
  fields: Field[];
}

function seedOf(file: Uint8Array): Seed {
  const { dataOffset } = parseHeader(new MemorySource(file));
  const header = file.slice(0, dataOffset);
  return { header, size: file.length, fields: headerFields(header) };
}

/** Random integers from a stream of their own, so that one mutation can be repeated alone. */
class Dice {
  readonly #random: RandomWords;
  readonly #word = new Uint32Array(1);

  constructor(stream: number) {
    this.#random = new RandomWords(SEED, stream);
  }

  /** 0 … n − 1 */
  below(n: number): number {
    this.#random.fill(this.#word);
    return this.#word[0] % n;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)];
  }
}

const EXTREMES: readonly bigint[] = [
  0n,
  1n,
  2n,
  4n,
  9n,
  255n,
  65536n,
  2n ** 20n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n,
  2n ** 61n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 64n,
  2n ** 64n - 1n,
];

/** A field of a count, a length, a type, a dimension or an offset gets an extreme, a near, or a random value. */
function setField(data: Uint8Array, fields: readonly Field[], dice: Dice): void {
  const { at, bytes } = dice.pick(fields);
  if ((bytes !== 4 && bytes !== 8) || at + bytes > data.length) return flipByte(data, dice);
  const view = new DataView(data.buffer);
  const old = bytes === 8 ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true));
  const near = [old - 1n, old + 1n, old * 2n, old << 32n, old ^ (1n << BigInt(dice.below(8 * bytes)))];
  const value = dice.pick([...EXTREMES, ...near, BigInt(dice.below(256))]);
  if (bytes === 8) view.setBigUint64(at, BigInt.asUintN(64, value), true);
  else view.setUint32(at, Number(BigInt.asUintN(32, value)), true);
}

function flipByte(data: Uint8Array, dice: Dice): void {
  if (data.length > 0) data[dice.below(data.length)] ^= 1 << dice.below(8);
}

function overwrite(data: Uint8Array, dice: Dice): void {
  const start = dice.below(data.length + 1);
  data.subarray(start, start + dice.below(16)).forEach((_, i, part) => part[i] = dice.below(256));
}

/** Removes some bytes, or repeats them, so that everything behind moves. */
function shift(data: Uint8Array, dice: Dice): Uint8Array {
  const start = dice.below(data.length + 1);
  const end = Math.min(data.length, start + dice.below(40));
  const rest = dice.below(2) === 0 ? data.subarray(end) : data.subarray(start);
  const out = new Uint8Array((dice.below(2) === 0 ? start : end) + rest.length);
  out.set(data.subarray(0, out.length - rest.length));
  out.set(rest, out.length - rest.length);
  return out;
}

function mutate(seed: Seed, dice: Dice): MemorySource {
  let data: Uint8Array = seed.header.slice();
  let size = seed.size;
  for (let n = 1 + dice.below(3); n > 0; n--) {
    const kind = dice.below(16);
    if (kind < 9) setField(data, seed.fields, dice);
    else if (kind < 11) flipByte(data, dice);
    else if (kind < 12) overwrite(data, dice);
    else if (kind < 14) data = shift(data, dice);
    else if (kind < 15) size = dice.below(seed.header.length + 1);
    // A sparse file passes every comparison with the bytes left: only the budget protects there.
    else size = 2 ** 42;
  }
  return new MemorySource(data.slice(0, Math.min(data.length, size)), size);
}

/** Parses one mutated file; returns whether it was accepted. Anything but a GgufError fails the test. */
function tryParse(source: MemorySource, what: string): boolean {
  const before = cpuMs();
  let accepted = false;
  try {
    const header = parseHeader(source);
    assert(header.chargedBytes <= HEADER_BUDGET_BYTES, what);
    for (const { name, offset, bytes } of header.tensors.values()) {
      assert(offset + bytes <= source.bytes, `${what}: ${name} outside the file`);
    }
    accepted = true;
  } catch (error) {
    if (!(error instanceof GgufError)) throw new Error(`${what}: not a GgufError`, { cause: error });
    assert(error.message.length < 1000, `${what}: a message of ${error.message.length} characters`);
  }
  const elapsedMs = cpuMs() - before;
  assert(elapsedMs < FILE_MS_MAX, `${what}: took ${elapsedMs} ms`);
  return accepted;
}

function fuzz(seed: Seed, name: string): void {
  // Warm up first: the measured growth is the reader's, not the compiler's.
  for (let i = 0; i < 200; i++) tryParse(mutate(seed, new Dice(i)), `${name}, mutation ${i}`);
  let growth = 0;
  let baseline = 0;
  let accepted = 0;
  for (let i = 0; i < MUTATIONS; i++) {
    if (i % FILES_PER_COLLECTION === 0) {
      collectGarbage();
      baseline = isolateBytes();
    }
    if (tryParse(mutate(seed, new Dice(i)), `${name}, mutation ${i}`)) accepted++;
    growth = Math.max(growth, isolateBytes() - baseline);
  }
  // A share of mutations hits values that may be anything; were it large, the fuzz would test nothing.
  assert(accepted < MUTATIONS / 2, `${accepted} of ${MUTATIONS} accepted`);
  assert(growth <= MEMORY_GROWTH_MAX, `memory grew by ${growth} bytes`);
  if (MUTATIONS > 2000) {
    console.log(
      `${name}: ${MUTATIONS} mutations, ${accepted} accepted, memory grew by at most ${growth} bytes`,
    );
  }
}

Deno.test("parseHeader() refuses or accepts, and nothing else, when a synthetic file is mutated", () => {
  fuzz(seedOf(sampleFile()), "sample");
});

const shared = sharedData();

Deno.test({
  name:
    "parseHeader() refuses or accepts, and nothing else, when stories260K is mutated (needs ../shared/data)",
  ignore: shared === null,
  fn: () => fuzz(seedOf(Deno.readFileSync(`${shared}stories260K/stories260K-f32.v3.gguf`)), "stories260K"),
});
