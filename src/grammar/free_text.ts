/** Texts that may be anything, up to a sign or without it, and texts with control tokens in them. @module */

import type { Dfa, Edge } from "./automata/dfa.ts";
import { CONTROL_BYTE, EMPTY, type Expression, sequence, text } from "./expression.ts";
import { partsOf } from "./signs.ts";

/** A text in which control tokens may be written. */
export function marked(value: string, isControl: (text: string) => boolean): Expression {
  if (value === "") return EMPTY;
  return sequence(
    ...partsOf(value).map((part): Expression =>
      isControl(part) ? { kind: "control", text: part } : text(part)
    ),
  );
}

/** All bytes but the one before control tokens. */
const BYTES = 256;

/** The automaton that looks for a text: state i has seen its first i bytes. */
function searching(needle: string, ending: "never" | "at once"): Dfa {
  const bytes = new TextEncoder().encode(needle);
  const n = bytes.length;
  const fallback = new Array<number>(n).fill(0);
  for (let i = 1, k = 0; i < n; i++) {
    while (k > 0 && bytes[i] !== bytes[k]) k = fallback[k - 1];
    if (bytes[i] === bytes[k]) k++;
    fallback[i] = k;
  }
  const step = (state: number, byte: number): number => {
    while (state > 0 && bytes[state] !== byte) state = fallback[state - 1];
    return bytes[state] === byte ? state + 1 : 0;
  };
  const edges = Array.from({ length: n }, (_, state) => {
    const own: Edge[] = [];
    for (let byte = 0; byte < BYTES; byte++) {
      if (byte === CONTROL_BYTE) continue;
      const to = step(state, byte);
      if (to === n && ending === "never") continue;
      const last = own.at(-1);
      if (last !== undefined && last[2] === to && last[1] === byte - 1) {
        own[own.length - 1] = [last[0], byte, to];
      } else own.push([byte, byte, to]);
    }
    return own;
  });
  return ending === "never"
    ? { accepting: edges.map(() => true), edges }
    : { accepting: [...edges.map(() => false), true], edges: [...edges, []] };
}

/** Texts in which another one is not. */
export function withoutText(needle: string): Expression {
  return { kind: "automaton", dfa: searching(needle, "never") };
}

/** Texts that end with the first time that another one is in them. */
export function untilText(needle: string): Expression {
  return { kind: "automaton", dfa: searching(needle, "at once") };
}

export function anyText(): Expression {
  const edges = [[[0, CONTROL_BYTE - 1, 0] as const]];
  return { kind: "automaton", dfa: { accepting: [true], edges } };
}
