/** Lookaheads in regular expressions: what they say of all that follows is an automaton beside the one of what follows. @module */

import { type Budget, GrammarError } from "../error.ts";
import { both, type Dfa, without } from "./dfa.ts";
import type { Syntax } from "./syntax.ts";

function has(syntax: Syntax, kind: Syntax["kind"]): boolean {
  if (syntax.kind === kind) return true;
  if (syntax.kind === "repeat") return has(syntax.body, kind);
  if (syntax.kind === "look") return has(syntax.ahead, kind);
  return (syntax.kind === "sequence" || syntax.kind === "choice") &&
    syntax.parts.some((part) => has(part, kind));
}

const inRow = (...parts: Syntax[]): Syntax => ({ kind: "sequence", parts });

/**
 * An expression of whole texts without lookaheads that means the same. `any`: an expression of all texts. `dfaOf`: the automaton
 * of one without lookaheads. Throws a GrammarError for lookaheads inside of repetitions, and for `^` behind one.
 */
export function withoutLookaheads(
  syntax: Syntax,
  any: Syntax,
  dfaOf: (syntax: Syntax) => Dfa,
  budget: Budget,
): Syntax {
  /** Parts that are all that is left of a text. */
  const resolve = (parts: readonly Syntax[]): Syntax => {
    const i = parts.findIndex((part) => has(part, "look"));
    if (i < 0) return inRow(...parts);
    budget.spend(1);
    const part = parts[i], before = parts.slice(0, i), after = parts.slice(i + 1);
    switch (part.kind) {
      case "look": {
        if (has(part.ahead, "start") || after.some((each) => has(each, "start"))) {
          throw new GrammarError("A pattern with ^ behind a lookahead is not supported");
        }
        const rest = dfaOf(resolve(after)), ahead = dfaOf(resolve([part.ahead, any]));
        const dfa = part.negative ? without(rest, ahead, budget) : both(rest, ahead, budget);
        return inRow(...before, { kind: "automaton", dfa });
      }
      case "sequence":
        return inRow(...before, resolve([...part.parts, ...after]));
      case "choice":
        return inRow(...before, {
          kind: "choice",
          parts: part.parts.map((each) => resolve([each, ...after])),
        });
      default: {
        const { body, least, most } = part as Syntax & { kind: "repeat" };
        if (most > 1) throw new GrammarError("A lookahead inside of a repetition is not supported");
        const ways = [[...most === 1 ? [body] : [], ...after], ...least === 0 && most === 1 ? [after] : []];
        return inRow(...before, { kind: "choice", parts: ways.map(resolve) });
      }
    }
  };
  return has(syntax, "look") ? resolve([syntax]) : syntax;
}
