import type { StepItem } from "../../scheduler/mod.ts";
import type { SequenceSlice, StateSlot } from "../runner/batch.ts";

/** Which slot each sequence has that has begun, where layers keep a state of sequences. */
export class StateSlots {
  readonly #free: number[];
  readonly #slots = new Map<number, StateSlot>();

  constructor(slots: number) {
    this.#free = Array.from({ length: slots }, (_, i) => slots - 1 - i);
  }

  /** A step with the slots of its sequences. */
  slices(items: readonly StepItem[]): SequenceSlice[] {
    return items.map(({ id, tokens, first, count, tables }) => ({
      tokens,
      first,
      count,
      tables,
      state: this.of(id),
    }));
  }

  /** The slot of a sequence, a new one where it has none. Throws where all are taken. */
  of(id: number): StateSlot {
    return this.#slots.getOrInsertComputed(id, () => {
      const slot = this.#free.pop();
      if (slot === undefined) throw new Error(`All ${this.#slots.size} states of sequences are taken`);
      return { read: slot, write: slot };
    });
  }

  /** Takes the slot back of a sequence that has ended or begins anew. */
  release(id: number): void {
    const slot = this.#slots.get(id);
    if (slot === undefined) return;
    this.#slots.delete(id);
    this.#free.push(slot.write);
  }
}
