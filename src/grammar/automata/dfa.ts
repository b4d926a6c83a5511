/** Deterministic automata over numbers: code points, or bytes. @module */

import type { Budget } from "../error.ts";
import type { Range } from "./ranges.ts";

/** Where a range of numbers leads. */
export type Edge = readonly [first: number, last: number, to: number];

/** State 0 is the first. Edges of a state are in order and do not overlap; what has no edge is not accepted. */
export interface Dfa {
  readonly accepting: readonly boolean[];
  readonly edges: readonly (readonly Edge[])[];
}

/** What a state is while an automaton is made: anything with a key, a verdict and edges. */
interface Source<S> {
  readonly first: S;
  key(state: S): string;
  accepts(state: S): boolean;
  /** In order, without overlaps. */
  edges(state: S): readonly (readonly [number, number, S])[];
}

/** The automaton of all states that can be reached and lead to an end. */
export function explore<S>(source: Source<S>, budget: Budget): Dfa {
  const ids = new Map<string, number>([[source.key(source.first), 0]]);
  const states = [source.first];
  const accepting: boolean[] = [];
  const edges: Edge[][] = [];
  for (let i = 0; i < states.length; i++) {
    accepting.push(source.accepts(states[i]));
    const own: Edge[] = [];
    for (const [first, last, to] of source.edges(states[i])) {
      budget.spend(1);
      const key = source.key(to);
      let id = ids.get(key);
      if (id === undefined) {
        id = states.length;
        ids.set(key, id);
        states.push(to);
      }
      const before = own.at(-1);
      if (before !== undefined && before[1] + 1 === first && before[2] === id) {
        own[own.length - 1] = [before[0], last, id];
      } else own.push([first, last, id]);
    }
    edges.push(own);
  }
  return minimize(trim({ accepting, edges }));
}

/** Without states from which nothing is ever accepted; the first stays, whatever it is. */
export function trim({ accepting, edges }: Dfa): Dfa {
  const from: number[][] = edges.map(() => []);
  edges.forEach((own, i) => own.forEach(([, , to]) => from[to].push(i)));
  const alive = accepting.map((value) => value);
  const queue = accepting.flatMap((value, i) => value ? [i] : []);
  for (let i = queue.pop(); i !== undefined; i = queue.pop()) {
    for (const before of from[i]) if (!alive[before]) alive[before] = true, queue.push(before);
  }
  if (alive.every(Boolean)) return { accepting, edges };
  alive[0] = true;
  const ids = new Map<number, number>();
  alive.forEach((value, i) => value && ids.set(i, ids.size));
  const kept = [...ids.keys()];
  return {
    accepting: kept.map((i) => accepting[i]),
    edges: kept.map((i) =>
      edges[i].flatMap(([first, last, to]) => ids.has(to) ? [[first, last, ids.get(to)!] as const] : [])
    ),
  };
}

/** The state from which nothing is accepted. */
const DEAD = -1;

/** Larger automata stay as they are: long chains would need as many rounds as they have states. */
const MINIMIZED_MAX = 256;

/** The least automaton with the same language: states that cannot be told apart become one (Moore 1956). */
export function minimize(dfa: Dfa): Dfa {
  if (dfa.accepting.length > MINIMIZED_MAX) return dfa;
  let classes = dfa.accepting.map(Number);
  let count = new Set(classes).size;
  for (;;) {
    const ids = new Map<string, number>();
    const next = dfa.edges.map((own, i) => {
      let key = `${classes[i]}`;
      let first = 0, last = -1, to = DEAD;
      for (const edge of own) {
        const toClass = classes[edge[2]];
        if (toClass === to && edge[0] === last + 1) last = edge[1];
        else {
          if (to !== DEAD) key += `;${first},${last},${to}`;
          first = edge[0], last = edge[1], to = toClass;
        }
      }
      if (to !== DEAD) key += `;${first},${last},${to}`;
      return ids.get(key) ?? (ids.set(key, ids.size), ids.size - 1);
    });
    classes = next;
    if (ids.size === count) break;
    count = ids.size;
  }
  if (count === dfa.accepting.length) return dfa;
  const firsts = new Map<number, number>();
  classes.forEach((id, i) => firsts.has(id) || firsts.set(id, i));
  const order = [...firsts.keys()];
  const place = new Map(order.map((id, i) => [id, i]));
  return {
    accepting: order.map((id) => dfa.accepting[firsts.get(id)!]),
    edges: order.map((id) => {
      const own: Edge[] = [];
      for (const [first, last, to] of dfa.edges[firsts.get(id)!]) {
        const target = place.get(classes[to])!;
        const before = own.at(-1);
        if (before !== undefined && before[1] + 1 === first && before[2] === target) {
          own[own.length - 1] = [before[0], last, target];
        } else own.push([first, last, target]);
      }
      return own;
    }),
  };
}

/** Whether nothing is accepted. */
export function isEmpty(dfa: Dfa): boolean {
  return !dfa.accepting.some(Boolean);
}

/** Whether the automaton accepts a sequence. */
export function accepts(dfa: Dfa, values: Iterable<number>): boolean {
  let state = 0;
  for (const value of values) {
    const edge = dfa.edges[state].find(([first, last]) => first <= value && value <= last);
    if (edge === undefined) return false;
    state = edge[2];
  }
  return dfa.accepting[state];
}

/** All numbers from the ranges, cut where either automaton's edges begin or end. */
function cuts(a: readonly Edge[], b: readonly Edge[]): Range[] {
  const borders = new Set<number>();
  for (const [first, last] of [...a, ...b]) borders.add(first).add(last + 1);
  const sorted = [...borders].sort((x, y) => x - y);
  return sorted.slice(0, -1).map((first, i) => [first, sorted[i + 1] - 1] as const);
}

function target(edges: readonly Edge[], value: number): number {
  for (const [first, last, to] of edges) if (first <= value && value <= last) return to;
  return DEAD;
}

/** The automaton of what `verdict` says of being accepted by each. */
function product(a: Dfa, b: Dfa, verdict: (a: boolean, b: boolean) => boolean, budget: Budget): Dfa {
  const edgesOf = (dfa: Dfa, state: number) => state === DEAD ? [] : dfa.edges[state];
  const acceptsIn = (dfa: Dfa, state: number) => state !== DEAD && dfa.accepting[state];
  return explore<readonly [number, number]>({
    first: [0, 0],
    key: ([x, y]) => `${x},${y}`,
    accepts: ([x, y]) => verdict(acceptsIn(a, x), acceptsIn(b, y)),
    edges: ([x, y]) => {
      const one = edgesOf(a, x), other = edgesOf(b, y);
      return cuts(one, other).flatMap(([first, last]) => {
        const to = [target(one, first), target(other, first)] as const;
        return to[0] === DEAD && to[1] === DEAD ? [] : [[first, last, to] as const];
      });
    },
  }, budget);
}

/** What both accept. */
export function both(a: Dfa, b: Dfa, budget: Budget): Dfa {
  return product(a, b, (x, y) => x && y, budget);
}

/** What `a` accepts and `b` does not. */
export function without(a: Dfa, b: Dfa, budget: Budget): Dfa {
  return product(a, b, (x, y) => x && !y, budget);
}

/** The automaton of a list of sequences. */
export function ofSequences(sequences: readonly (readonly number[])[]): Dfa {
  const accepting = [false];
  const children: Map<number, number>[] = [new Map()];
  for (const sequence of sequences) {
    let state = 0;
    for (const value of sequence) {
      let to = children[state].get(value);
      if (to === undefined) {
        to = accepting.length;
        accepting.push(false);
        children.push(new Map());
        children[state].set(value, to);
      }
      state = to;
    }
    accepting[state] = true;
  }
  const edges = children.map((own) =>
    [...own].sort((a, b) => a[0] - b[0]).map(([value, to]) => [value, value, to] as const)
  );
  return minimize({ accepting, edges });
}

/** Sequences of `least` to `most` numbers of the ranges. */
export function repeated(ranges: readonly Range[], least: number, most: number): Dfa {
  const bounded = most !== Infinity;
  const n = (bounded ? most : least) + 1;
  return {
    accepting: Array.from({ length: n }, (_, i) => i >= least),
    edges: Array.from({ length: n }, (_, i) => {
      const to = i + 1 < n ? i + 1 : bounded ? DEAD : i;
      return to === DEAD ? [] : ranges.map(([first, last]) => [first, last, to] as const);
    }),
  };
}
