/** Regular expressions as automata over code points. @module */

import type { Budget } from "../error.ts";
import { type Dfa, explore } from "./dfa.ts";
import { withoutLookaheads } from "./lookahead.ts";
import { ANY, type Range, type Ranges } from "./ranges.ts";
import { parseRegex, type Syntax } from "./syntax.ts";

/** States of an automaton that may be in several at once (Thompson 1968). */
class Nfa {
  readonly empty: number[][] = [];
  /** Edges that only the text's first place has, and only its last. */
  readonly atStart: number[][] = [];
  readonly atEnd: number[][] = [];
  readonly moves: [Ranges, number][][] = [];
  readonly #budget: Budget;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  state(): number {
    this.#budget.spend(1);
    this.empty.push([]);
    this.atStart.push([]);
    this.atEnd.push([]);
    return this.moves.push([]) - 1;
  }

  /** Adds what leads from a state through an expression; gives the state behind it. */
  add(syntax: Syntax, from: number): number {
    switch (syntax.kind) {
      case "set": {
        const to = this.state();
        this.moves[from].push([syntax.ranges, to]);
        return to;
      }
      case "start":
      case "end": {
        const to = this.state();
        (syntax.kind === "start" ? this.atStart : this.atEnd)[from].push(to);
        return to;
      }
      case "sequence":
        return syntax.parts.reduce((at, part) => this.add(part, at), from);
      case "choice": {
        const to = this.state();
        for (const part of syntax.parts) {
          const first = this.state();
          this.empty[from].push(first);
          this.empty[this.add(part, first)].push(to);
        }
        return to;
      }
      case "repeat":
        return this.#repeat(syntax, from);
      case "automaton":
        return this.#automaton(syntax.dfa, from);
      case "look":
        throw new Error("A lookahead is left in an expression");
    }
  }

  #automaton({ accepting, edges }: Dfa, from: number): number {
    const states = accepting.map(() => this.state());
    const to = this.state();
    this.empty[from].push(states[0]);
    states.forEach((state, i) => {
      for (const [first, last, next] of edges[i]) this.moves[state].push([[[first, last]], states[next]]);
      if (accepting[i]) this.empty[state].push(to);
    });
    return to;
  }

  #repeat({ body, least, most }: Syntax & { kind: "repeat" }, from: number): number {
    let at = from;
    for (let i = 0; i < least; i++) at = this.add(body, at);
    if (most === Infinity) {
      const loop = this.state();
      this.empty[at].push(loop);
      this.empty[this.add(body, loop)].push(loop);
      const to = this.state();
      this.empty[loop].push(to);
      return to;
    }
    const to = this.state();
    for (let i = least; i < most; i++) {
      this.empty[at].push(to);
      at = this.add(body, at);
    }
    this.empty[at].push(to);
    return to;
  }

  /** All states that are reached without a character. */
  close(states: Iterable<number>, start: boolean, end: boolean): Set<number> {
    const found = new Set(states);
    for (const state of found) {
      for (const to of this.empty[state]) found.add(to);
      if (start) { for (const to of this.atStart[state]) found.add(to); }
      if (end) { for (const to of this.atEnd[state]) found.add(to); }
    }
    return found;
  }
}

interface Subset {
  readonly states: readonly number[];
  readonly accepting: boolean;
}

function determinize(nfa: Nfa, first: number, last: number, budget: Budget): Dfa {
  const subset = (states: Iterable<number>, start: boolean): Subset => {
    const closed = nfa.close(states, start, false);
    budget.spend(closed.size);
    // What only leads on without characters need not be told apart; but ends of texts may lie behind it.
    return {
      states: [...closed].sort((a, b) => a - b),
      accepting: nfa.close(closed, start, true).has(last),
    };
  };
  return explore<Subset>({
    first: subset([first], true),
    key: ({ states, accepting }) => `${accepting}${states.join()}`,
    accepts: ({ accepting }) => accepting,
    edges: ({ states }) => {
      const moves = states.flatMap((state) => nfa.moves[state]);
      const borders = new Set<number>();
      for (const [ranges] of moves) for (const [low, high] of ranges) borders.add(low).add(high + 1);
      const sorted = [...borders].sort((a, b) => a - b);
      budget.spend(sorted.length);
      const targets: Set<number>[] = sorted.map(() => new Set());
      const place = new Map(sorted.map((border, i) => [border, i]));
      for (const [ranges, to] of moves) {
        for (const [low, high] of ranges) {
          budget.spend(place.get(high + 1)! - place.get(low)!);
          for (let i = place.get(low)!; sorted[i] <= high; i++) targets[i].add(to);
        }
      }
      const known = new Map<string, Subset>();
      return targets.flatMap((to, i) => {
        if (to.size === 0) return [];
        const key = [...to].sort((a, b) => a - b).join();
        let next = known.get(key);
        if (next === undefined) known.set(key, next = subset(to, false));
        return [[sorted[i], sorted[i + 1] - 1, next] as const];
      });
    },
  }, budget);
}

const any: Syntax = { kind: "repeat", body: { kind: "set", ranges: ANY }, least: 0, most: Infinity };

/** The automaton of texts in which an expression matches somewhere, as JSON Schema's `pattern` means it. */
export function searchDfa(source: string, budget: Budget): Dfa {
  return syntaxDfa({ kind: "sequence", parts: [any, parseRegex(source), any] }, budget);
}

/** The automaton of texts that an expression matches from beginning to end. */
export function matchDfa(source: string, budget: Budget): Dfa {
  return syntaxDfa(parseRegex(source), budget);
}

/** As {@linkcode matchDfa}, of a tree. */
export function syntaxDfa(syntax: Syntax, budget: Budget): Dfa {
  const dfaOf = (plain: Syntax): Dfa => {
    const nfa = new Nfa(budget);
    const first = nfa.state();
    return determinize(nfa, first, nfa.add(plain, first), budget);
  };
  return dfaOf(withoutLookaheads(syntax, any, dfaOf, budget));
}

/** An expression that is a set of code points. */
export function setSyntax(ranges: readonly Range[]): Syntax {
  return { kind: "set", ranges };
}
