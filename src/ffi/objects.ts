import { check } from "./errors.ts";
import type { KernelSymbols } from "./library.ts";
import { limits } from "./symbols.ts";

/** What a handle needs of the kernels that it belongs to. */
export interface Owner {
  /** Id of the context. */
  readonly id: number;
  /** The native functions; undefined after the kernels were closed, which frees every object. */
  symbols(): KernelSymbols | undefined;
}

/**
 * Passes a whole number from 0 to 2³² − 1 on; anything else would silently become another number in the
 * library.
 */
export function u32(value: number, name: string): number {
  if (value >>> 0 !== value) {
    throw new RangeError(`${name} must be a whole number from 0 to 4294967295, current value is ${value}`);
  }
  return value;
}

/** A handle to something that lives in the library. */
export abstract class NativeObject implements Disposable {
  protected readonly owner: Owner;
  #id: number;

  constructor(owner: Owner, id: number) {
    this.owner = owner;
    this.#id = id;
  }

  /** Its number in the library; that of no object after dispose. */
  get id(): number {
    return this.#id;
  }

  /** Frees it. Closing the kernels does that too; doing both, or either twice, is allowed. */
  [Symbol.dispose](): void {
    const id = this.#id;
    this.#id = 0;
    const native = this.owner.symbols();
    if (id !== 0 && native !== undefined) check(native.kumi_destroy(id), "destroy");
  }
}

/** The id of an object that may be absent. */
export function idOf(object: NativeObject | undefined): number {
  return object === undefined ? limits.none : object.id;
}

/** A packed matrix [rows, k]. */
export class Weights extends NativeObject {
  /** ggml's type id. */
  readonly format: number;
  readonly rows: number;
  readonly k: number;

  constructor(owner: Owner, id: number, format: number, rows: number, k: number) {
    super(owner, id);
    this.format = format;
    this.rows = rows;
    this.k = k;
  }

  /**
   * Packs `rowCount` rows from `rowFirst` on, as they lie in a GGUF file. `rowFirst` is a multiple of 16, and
   * so is `rowCount` unless it reaches the last row; `bytes` holds exactly these rows.
   */
  load(rowFirst: number, rowCount: number, bytes: Uint8Array): void {
    const native = this.owner.symbols();
    if (native === undefined) throw new Error("Cannot load weights: the kernels were closed");
    const status = native.kumi_weights_load(
      this.owner.id,
      this.id,
      u32(rowFirst, "rowFirst"),
      u32(rowCount, "rowCount"),
      bytes as Uint8Array<ArrayBuffer>,
      bytes.byteLength,
    );
    check(status, "load weights", { weights: this, rowFirst, rowCount, bytes: bytes.byteLength });
  }

  override toString(): string {
    return `[${this.rows}, ${this.k}] of format ${this.format}`;
  }
}

/** A constant vector of f32. */
export class Vector extends NativeObject {
  readonly length: number;

  constructor(owner: Owner, id: number, length: number) {
    super(owner, id);
    this.length = length;
  }
}

/** Cosines and sines of each position. */
export class Rope extends NativeObject {
  readonly rotatedDims: number;
  readonly maxPositions: number;

  constructor(owner: Owner, id: number, rotatedDims: number, maxPositions: number) {
    super(owner, id);
    this.rotatedDims = rotatedDims;
    this.maxPositions = maxPositions;
  }
}

/** A KV cache of `slots` tokens. */
export class Arena extends NativeObject {
  readonly slots: number;

  constructor(owner: Owner, id: number, slots: number) {
    super(owner, id);
    this.slots = slots;
  }

  #native(): KernelSymbols {
    const native = this.owner.symbols();
    if (native === undefined) throw new Error("Cannot use a KV arena: the kernels were closed");
    return native;
  }

  /** Gives the memory of a run of free slots back to the system. Both numbers are multiples of 16. */
  giveBack(slotFirst: number, slotCount: number): void {
    const status = this.#native().kumi_arena_give_back(
      this.id,
      u32(slotFirst, "slotFirst"),
      u32(slotCount, "slotCount"),
    );
    check(status, "give back slots", { slotFirst, slotCount, slots: this.slots });
  }

  /**
   * Asks the system for huge pages (true), or for small ones where it would use huge ones by itself (false).
   * With huge pages the first token already commits one in each layer and head.
   */
  preferHugePages(wanted: boolean): void {
    check(this.#native().kumi_arena_huge_pages(this.id, wanted ? 1 : 0), "choose the KV cache's pages");
  }

  /** Commits memory for some MiB of the reservation, which may end beyond it. */
  prefault(mibFirst: number, mibCount: number): void {
    const status = this.#native().kumi_arena_prefault(
      this.id,
      u32(mibFirst, "mibFirst"),
      u32(mibCount, "mibCount"),
    );
    check(status, "prefault the KV cache", { mibFirst, mibCount });
  }

  /** Bytes that one block takes in the layers of a group. */
  blockBytes(group: number): number {
    const bytes = new Uint32Array(1);
    check(
      this.#native().kumi_arena_block_bytes(this.id, u32(group, "group"), bytes),
      "ask for a block's bytes",
      {
        group,
      },
    );
    return bytes[0];
  }

  /** Copies blocks of a group out of the cache; `target` has exactly {@linkcode Arena.blockBytes} for each. */
  readBlocks(group: number, first: number, count: number, target: Uint8Array<ArrayBuffer>): void {
    const status = this.#native().kumi_arena_read_blocks(
      this.id,
      u32(group, "group"),
      u32(first, "first"),
      u32(count, "count"),
      target,
      target.byteLength,
    );
    check(status, "read KV blocks", { group, first, count, bytes: target.byteLength });
  }

  /** Copies blocks of a group into the cache; `source` has exactly {@linkcode Arena.blockBytes} for each. */
  writeBlocks(group: number, first: number, count: number, source: Uint8Array<ArrayBuffer>): void {
    const status = this.#native().kumi_arena_write_blocks(
      this.id,
      u32(group, "group"),
      u32(first, "first"),
      u32(count, "count"),
      source,
      source.byteLength,
    );
    check(status, "write KV blocks", { group, first, count, bytes: source.byteLength });
  }

  /**
   * Bytes of memory behind the arena now, as the system counts its pages; undefined where it does not tell.
   */
  residentBytes(): number | undefined {
    const bytes = new Float64Array(1);
    check(this.#native().kumi_arena_resident(this.id, bytes, bytes.byteLength), "ask for resident memory");
    return bytes[0] < 0 ? undefined : bytes[0];
  }
}

/** States of `slots` sequences, of `slotBytes` each. */
export class States extends NativeObject {
  readonly slots: number;
  readonly slotBytes: number;

  constructor(owner: Owner, id: number, slots: number, slotBytes: number) {
    super(owner, id);
    this.slots = slots;
    this.slotBytes = slotBytes;
  }

  /** Gives the memory of a slot that nobody needs back to the system; it is committed again when it is written. */
  giveBack(slot: number): void {
    const status = this.#native().kumi_states_give_back(this.id, u32(slot, "slot"));
    check(status, "give memory of a state back", { slot, slots: this.slots });
  }

  /** Bytes of memory behind the states now, as the system counts its pages; undefined where it does not tell. */
  residentBytes(): number | undefined {
    const bytes = new Float64Array(1);
    check(this.#native().kumi_states_resident(this.id, bytes, bytes.byteLength), "ask for resident memory");
    return bytes[0] < 0 ? undefined : bytes[0];
  }

  #native() {
    const native = this.owner.symbols();
    if (native === undefined) throw new Error("Cannot use states: the kernels were closed");
    return native;
  }
}
