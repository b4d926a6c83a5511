/** From a JSON Schema to rules. @module */

import type { Dfa } from "../automata/dfa.ts";
import { ofSequences, repeated } from "../automata/dfa.ts";
import { ANY } from "../automata/ranges.ts";
import { matchDfa } from "../automata/regex.ts";
import { once } from "../../process/once.ts";
import { Budget, GrammarError } from "../error.ts";
import { choice, type Expression, NEVER, Rules, text } from "../expression.ts";
import { disjoint } from "./disjoint.ts";
import { SchemaDocument } from "./document.ts";
import { numberDfa } from "./decimals.ts";
import { fits } from "./fits.ts";
import { arrayExpression, type ObjectContext, objectExpression } from "./objects.ts";
import { itemAtoms } from "./parts.ts";
import { cached, codePoints, contentDfa, stringExpression, stringList } from "./strings.ts";
import { literals } from "./values.ts";
import { type Atoms, nameOf, type View, viewOf } from "./view.ts";

/** How much a schema may cost: some 200 ms. */
const WORK_MAX = 500_000;
const RULES_MAX = 100_000;

/** Between the signs of JSON: nothing, a blank, or a line's end with up to 32 blanks. No answer can be filled with them. */
const gapBetween = once((): Expression => ({
  kind: "automaton",
  dfa: matchDfa("( |\\n[ \\t]{0,32})?", new Budget(100_000, "Blanks")),
}));

/** The rules of texts of JSON that fit a schema. Throws a GrammarError that names what is not supported, and where. */
export function schemaRules(schema: unknown): readonly Expression[] {
  const compiler = new Compiler(new SchemaDocument(schema));
  return compiler.run();
}

class Compiler implements ObjectContext {
  readonly document: SchemaDocument;
  readonly rules = new Rules();
  readonly gap = gapBetween();
  readonly #known = new Map<string, Expression>();
  readonly #budget = new Budget(WORK_MAX, "The schema");
  readonly #queue: [Expression & { kind: "rule" }, Atoms][] = [];

  constructor(document: SchemaDocument) {
    this.document = document;
  }

  run(): readonly Expression[] {
    this.value([{ node: this.document.root, without: "" }]);
    // Rules wait in a list, so that no depth of a schema is one of the stack.
    for (let next = this.#queue.pop(); next !== undefined; next = this.#queue.pop()) {
      const [rule, atoms] = next;
      this.rules.define(rule, this.#body(atoms));
    }
    return this.rules.all;
  }

  value(atoms: Atoms): Expression {
    const name = nameOf(atoms);
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    if (this.#known.size > RULES_MAX) {
      throw new GrammarError(`The schema has more than ${RULES_MAX} kinds of values`);
    }
    this.#budget.spend(1 + atoms.length, atoms[0]?.node.path);
    const rule = this.rules.declare();
    this.#known.set(name, rule);
    this.#queue.push([rule, atoms]);
    return rule;
  }

  isNever(atoms: Atoms): boolean {
    return atoms.some(({ node }) => node.schema === false);
  }

  strings(atoms: Atoms): Dfa | undefined {
    const view = viewOf(this.document, atoms, this.#budget);
    if (view === null || !view.kinds.has("string")) return ofSequences([]);
    if (view.alternatives !== undefined) {
      throw new GrammarError("propertyNames with alternatives is not supported", view.alternatives.path);
    }
    if (view.values !== undefined) {
      const fitting = view.values.filter((value) => fits(this.document, value, atoms, this.#budget));
      return ofSequences(fitting.filter((value) => typeof value === "string").map(codePoints));
    }
    const content = contentDfa(view);
    if (content !== undefined) return content;
    if (view.lengthMin === 0 && view.lengthMax === Infinity) return undefined;
    if (view.lengthMin > 1000) {
      throw new GrammarError(`Names of ${view.lengthMin} characters are not supported`, view.path);
    }
    return repeated(ANY, view.lengthMin, view.lengthMax > 1000 ? Infinity : view.lengthMax);
  }

  #body(atoms: Atoms): Expression {
    const view = viewOf(this.document, atoms, this.#budget);
    if (view === null) return NEVER;
    if (view.values !== undefined) return this.#values(view.values, atoms);
    if (view.alternatives !== undefined) return this.#alternatives(view);
    return choice(...[...view.kinds].map((kind) => this.#kind(kind, view)));
  }

  #values(values: readonly unknown[], atoms: Atoms): Expression {
    const fitting = values.filter((value) => fits(this.document, value, atoms, this.#budget));
    const strings = fitting.filter((value) => typeof value === "string");
    const others = literals(fitting.filter((value) => typeof value !== "string"), this.gap);
    return strings.length === 0 ? others : choice(stringList(strings, atoms[0].node.path), others);
  }

  #alternatives({ alternatives }: View): Expression {
    const { keyword, path, rest, each } = alternatives!;
    const all = each.map((atoms) => [...rest, ...atoms]);
    if (keyword === "oneOf") {
      const views = all.map((atoms) => viewOf(this.document, atoms, this.#budget));
      for (const [i, a] of views.entries()) {
        for (const [j, b] of views.slice(0, i).entries()) {
          this.#budget.spend(1, path);
          if (a === null || b === null || disjoint(this.document, a, b, this.#budget)) continue;
          throw new GrammarError(
            `oneOf is supported where no value can fit two alternatives; ${j} and ${i} may overlap. anyOf needs no such proof`,
            path,
          );
        }
      }
    }
    return choice(...all.map((atoms) => this.value(atoms)));
  }

  #kind(kind: string, view: View): Expression {
    switch (kind) {
      case "null":
        return text("null");
      case "boolean":
        return choice(text("true"), text("false"));
      case "string":
        return stringExpression(view);
      case "number":
        return this.#number(view);
      case "array":
        return arrayExpression(view, this, (i) => itemAtoms(this.document, view, i));
      default:
        return objectExpression(view, this);
    }
  }

  #number({ integer, least, most, multipleOf, path }: View): Expression {
    const bounds = {
      integer,
      least: least?.value,
      most: most?.value,
      above: least?.open,
      below: most?.open,
      multipleOf,
    };
    const dfa = cached(`n${JSON.stringify(bounds)}`, () => numberDfa(bounds, path));
    return { kind: "automaton", dfa };
  }
}
