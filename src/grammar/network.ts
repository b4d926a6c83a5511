/** From rules to the words that the library reads: kernels/src/grammar/grammar.zig has the form. @module */

import { limits } from "../ffi/symbols.ts";
import type { Dfa } from "./automata/dfa.ts";
import { Budget, GrammarError } from "./error.ts";
import { CONTROL_BYTE, type Expression } from "./expression.ts";
import { isNullable, prune } from "./prune.ts";

/** States of the network and words of its tables: 64 MB of words at most, which few grammars come near. */
const STATES_MAX = 2_000_000;
const DEAD = 0xffff;

const EDGE = { empty: 0, terminal: 1, call: 2 } as const;
const TERMINAL = { text: 0, automaton: 1, characters: 2 } as const;

/** Compiles rules, of which the first one is where a text begins. Throws a GrammarError. */
export function compileRules(rules: readonly Expression[]): Uint32Array<ArrayBuffer> {
  const network = new Network();
  prune(rules).forEach((rule) => network.addRule(rule));
  return network.words();
}

class Network {
  readonly #rules: number[] = [];
  readonly #edges: [word: number, next: number][][] = [];
  readonly #final: boolean[] = [];
  readonly #terminals: number[] = [];
  readonly #known = new Map<string, number>();
  readonly #automata = new Map<Dfa, number>();
  readonly #tables: number[] = [];
  readonly #budget = new Budget(STATES_MAX, "The grammar");

  addRule(body: Expression): void {
    const first = this.#state();
    this.#rules.push(first);
    this.#final[this.#add(body, first)] = true;
  }

  #state(): number {
    this.#budget.spend(1);
    this.#final.push(false);
    return this.#edges.push([]) - 1;
  }

  #link(from: number, kind: number, target: number, to: number): void {
    this.#edges[from].push([((kind << 30) | target) >>> 0, to]);
  }

  /** Adds what leads from a state through an expression; gives the state behind it. */
  #add(expression: Expression, from: number): number {
    switch (expression.kind) {
      case "sequence":
        return expression.parts.reduce((at, part) => this.#add(part, at), from);
      case "choice": {
        const to = this.#state();
        for (const part of expression.parts) {
          const first = this.#state();
          this.#link(from, EDGE.empty, 0, first);
          this.#link(this.#add(part, first), EDGE.empty, 0, to);
        }
        return to;
      }
      case "repeat":
        return this.#repeat(expression, from);
      case "rule": {
        const to = this.#state();
        this.#link(from, EDGE.call, expression.rule, to);
        return to;
      }
      default:
        return this.#terminal(expression, from);
    }
  }

  #repeat({ body, least, most }: Expression & { kind: "repeat" }, from: number): number {
    let at = from;
    for (let i = 0; i < least; i++) at = this.#add(body, at);
    const to = this.#state();
    if (most === Infinity) {
      const loop = this.#state();
      this.#link(at, EDGE.empty, 0, loop);
      this.#link(this.#add(body, loop), EDGE.empty, 0, loop);
      this.#link(loop, EDGE.empty, 0, to);
      return to;
    }
    for (let i = least; i < most; i++) {
      this.#link(at, EDGE.empty, 0, to);
      at = this.#add(body, at);
    }
    this.#link(at, EDGE.empty, 0, to);
    return to;
  }

  /** Terminals consume a byte at least: one that may be empty is one that may be passed. */
  #terminal(
    terminal: Expression & { kind: "text" | "control" | "automaton" | "characters" },
    from: number,
  ): number {
    const to = this.#state();
    if (isNullable(terminal, [])) this.#link(from, EDGE.empty, 0, to);
    this.#link(from, EDGE.terminal, this.#number(terminal), to);
    return to;
  }

  #number(terminal: Expression & { kind: "text" | "control" | "automaton" | "characters" }): number {
    const key = terminal.kind === "text" || terminal.kind === "control"
      ? `${terminal.kind}"${terminal.text}`
      : `${this.#table(terminal.dfa)}${
        terminal.kind === "characters" ? `,${terminal.least},${terminal.most}` : ""
      }`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const id = this.#terminals.length / 4;
    if (terminal.kind === "text" || terminal.kind === "control") {
      const text = new TextEncoder().encode(terminal.text);
      const bytes = terminal.kind === "control" ? Uint8Array.of(CONTROL_BYTE, ...text) : text;
      this.#terminals.push(TERMINAL.text, this.#tables.length, bytes.length, 0);
      this.#append(bytes);
    } else if (terminal.kind === "automaton") {
      this.#terminals.push(TERMINAL.automaton, this.#table(terminal.dfa), 0, 0);
    } else {
      const { least, most } = terminal;
      const bound = most === Infinity ? limits.grammarUnlimited : most;
      this.#terminals.push(TERMINAL.characters, this.#table(terminal.dfa), Math.max(1, least), bound);
    }
    this.#known.set(key, id);
    return id;
  }

  #append(bytes: Uint8Array): void {
    this.#budget.spend(bytes.length / 4);
    const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
    padded.set(bytes);
    for (const word of new Uint32Array(padded.buffer)) this.#tables.push(word);
  }

  /** Where an automaton's table begins. */
  #table(dfa: Dfa): number {
    const known = this.#automata.get(dfa);
    if (known !== undefined) return known;
    const at = this.#tables.length;
    this.#automata.set(dfa, at);
    const { classes, firsts } = byteClasses(dfa);
    const n = dfa.accepting.length;
    if (n >= DEAD) throw new GrammarError(`An automaton of ${n} states is too large`);
    this.#tables.push(n, firsts.length);
    this.#append(classes);
    const accepting = new Uint32Array(Math.ceil(n / 32));
    dfa.accepting.forEach((value, i) => {
      if (value) accepting[i >> 5] |= 1 << (i & 31);
    });
    this.#tables.push(...accepting);
    const next = new Uint16Array(n * firsts.length).fill(DEAD);
    dfa.edges.forEach((edges, state) => {
      for (const [first, last, to] of edges) {
        for (let byte = first; byte <= last; byte++) next[state * firsts.length + classes[byte]] = to;
      }
    });
    this.#append(new Uint8Array(next.buffer));
    return at;
  }

  words(): Uint32Array<ArrayBuffer> {
    const edges = this.#edges.flatMap((own) => own.flat());
    let first = 0;
    const states = this.#edges.map((own, i) => {
      const word = first << 1 | Number(this.#final[i]);
      first += own.length;
      return word;
    });
    const header = [
      limits.grammarMagic,
      this.#terminals.length / 4,
      this.#rules.length,
      this.#edges.length,
      edges.length / 2,
      0,
      this.#tables.length,
    ];
    const parts = [header, this.#rules, [...states, first << 1], edges, this.#terminals, this.#tables];
    const words = new Uint32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      words.set(part, at);
      at += part.length;
    }
    return words;
  }
}

/** Bytes that every state treats alike are one class. */
function byteClasses(dfa: Dfa): { classes: Uint8Array; firsts: number[] } {
  const borders = new Set([0]);
  for (const edges of dfa.edges) for (const [first, last] of edges) borders.add(first).add(last + 1);
  const firsts = [...borders].filter((border) => border < 256).sort((a, b) => a - b);
  const classes = new Uint8Array(256);
  firsts.forEach((first, i) => classes.fill(i, first, firsts[i + 1] ?? 256));
  return { classes, firsts };
}
