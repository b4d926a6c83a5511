/** Things to come, by time; at the same time in the order in which they were added. */
export class EventQueue {
  readonly #heap: { readonly at: number; readonly order: number; readonly run: () => void }[] = [];
  #added = 0;

  get isEmpty(): boolean {
    return this.#heap.length === 0;
  }

  add(at: number, run: () => void): void {
    const heap = this.#heap;
    const event = { at, order: this.#added++, run };
    let i = heap.push(event) - 1;
    while (i > 0) {
      const above = (i - 1) >> 1;
      if (!isBefore(event, heap[above])) break;
      heap[i] = heap[above];
      i = above;
    }
    heap[i] = event;
  }

  /** Takes the next event out. */
  next(): { readonly at: number; readonly run: () => void } {
    const heap = this.#heap;
    const top = heap[0], last = heap.pop()!;
    if (heap.length === 0) return top;
    let i = 0;
    for (;;) {
      let below = 2 * i + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1], heap[below])) below++;
      if (!isBefore(heap[below], last)) break;
      heap[i] = heap[below];
      i = below;
    }
    heap[i] = last;
    return top;
  }
}

function isBefore(a: { at: number; order: number }, b: { at: number; order: number }): boolean {
  return a.at < b.at || a.at === b.at && a.order < b.order;
}
