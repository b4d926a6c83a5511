/** Objects: members in their declared order, then those that only patterns or nothing name. @module */

import { accepts, both, type Dfa, isEmpty, ofSequences, without } from "../automata/dfa.ts";
import { jsonCharacters, toBytes } from "../automata/bytes.ts";
import { ANY } from "../automata/ranges.ts";
import { setSyntax, syntaxDfa } from "../automata/regex.ts";
import { once } from "../../process/once.ts";
import { Budget, GrammarError } from "../error.ts";
import {
  choice,
  EMPTY,
  type Expression,
  NEVER,
  optional,
  repeat,
  type Rules,
  sequence,
  text,
} from "../expression.ts";
import type { SchemaDocument } from "./document.ts";
import { childrenOf, keyAtoms, patternDfa } from "./parts.ts";
import { codePoints, quoted } from "./strings.ts";
import type { Atom, Atoms, View } from "./view.ts";

/** What objects need of the compiler. */
export interface ObjectContext {
  readonly document: SchemaDocument;
  readonly rules: Rules;
  /** Blanks that may stand between signs. */
  readonly gap: Expression;
  /** A value that fits atoms, as a rule or something small. */
  value(atoms: Atoms): Expression;
  /** Whether nothing fits, as far as can be seen at once. */
  isNever(atoms: Atoms): boolean;
  /** The automaton of strings that fit atoms; undefined for all. */
  strings(atoms: Atoms): Dfa | undefined;
}

interface Member {
  readonly expression: Expression;
  readonly required: boolean;
}

const PATTERNS_MAX = 6;
const MEMBERS_MAX = 2000;
const STATES_MAX = 200_000;
const WORK_MAX = 400_000;

const anyName = once(() =>
  syntaxDfa(
    { kind: "repeat", body: setSyntax(ANY), least: 0, most: Infinity },
    new Budget(WORK_MAX, "Names"),
  )
);

const anyNameBytes = once((): Dfa => {
  const dfa = toBytes(anyName(), jsonCharacters, new Budget(WORK_MAX, "Names"));
  // The quotes, before the first state and behind the accepting one.
  const end = dfa.accepting.length + 1;
  const edges = dfa.edges.map((own, state) => {
    const moved = own.map(([first, last, to]) => [first, last, to + 1] as const);
    return dfa.accepting[state] ? [...moved, [0x22, 0x22, end] as const].sort((a, b) => a[0] - b[0]) : moved;
  });
  return {
    accepting: [false, ...edges.map(() => false), true],
    edges: [[[0x22, 0x22, 1] as const], ...edges, []],
  };
});

/**
 * Objects of a view. The order is the declared one because any order would need a state for every set of members that have
 * come, and because models follow the order that they were shown. Names are written in one way each, so that none comes twice
 * under another spelling.
 */
export function objectExpression(view: View, context: ObjectContext): Expression {
  const { gap } = context;
  const members = declaredMembers(view, context);
  if (members === null) return NEVER;
  const free = freeMember(view, members.names, context);
  const body = membersExpression(view, members.list, free, context);
  return body === NEVER ? NEVER : sequence(text("{"), gap, body, text("}"));
}

/** The members with a name, in order; null where one that is required cannot be. */
function declaredMembers(view: View, context: ObjectContext): { list: Member[]; names: string[] } | null {
  const names = new Set(view.objects.flatMap(({ properties }) => Object.keys(properties)));
  for (const name of view.required) names.add(name);
  const allowed = view.names.length > 0 ? context.strings(childrenOf(view.names)) : undefined;
  if (names.size > MEMBERS_MAX) {
    throw new GrammarError(
      `An object with more than ${MEMBERS_MAX} declared members is not supported`,
      view.path,
    );
  }
  const list: Member[] = [];
  for (const name of names) {
    const required = view.required.has(name);
    const atoms = keyAtoms(context.document, view, name);
    const named = allowed === undefined || accepts(allowed, codePoints(name));
    const value = named && !context.isNever(atoms) ? context.value(atoms) : NEVER;
    if (value === NEVER) {
      if (required) return null;
      continue;
    }
    list.push({ expression: sequence(text(`${JSON.stringify(name)}:`), context.gap, value), required });
  }
  return { list, names: [...names] };
}

/** A member that no name declares. */
function freeMember(view: View, names: readonly string[], context: ObjectContext): Expression {
  const budget = new Budget(WORK_MAX, "The names of an object's members");
  const atoms = freeAtoms(view, [], context);
  if (view.names.length === 0 && view.objects.every((part) => Object.keys(part.patterns).length === 0)) {
    return plainFreeMember(names, atoms, context, budget);
  }
  let base = without(anyName(), ofSequences(names.map(codePoints)), budget);
  if (view.names.length > 0) {
    const allowed = context.strings(childrenOf(view.names));
    if (allowed !== undefined) base = both(base, allowed, budget);
  }
  const sources = [...new Set(view.objects.flatMap(({ patterns }) => Object.keys(patterns)))];
  if (sources.length > PATTERNS_MAX) {
    throw new GrammarError(
      `More than ${PATTERNS_MAX} patternProperties together are not supported`,
      view.path,
    );
  }
  // Every set of patterns that a name may match is a class of names with a schema of its own.
  let classes: { dfa: Dfa; matched: string[] }[] = [{ dfa: base, matched: [] }];
  for (const source of sources) {
    const pattern = patternDfa(source);
    classes = classes.flatMap(({ dfa, matched }) => [
      { dfa: both(dfa, pattern, budget), matched: [...matched, source] },
      { dfa: without(dfa, pattern, budget), matched },
    ]).filter(({ dfa }) => !isEmpty(dfa));
  }
  const members = classes.map(({ dfa, matched }) => {
    const atoms = freeAtoms(view, matched, context);
    if (isEmpty(dfa) || context.isNever(atoms)) return NEVER;
    const value = context.value(atoms);
    return value === NEVER ? NEVER : sequence(quoted(dfa, view.path), text(":"), context.gap, value);
  }).filter((member) => member !== NEVER);
  const member = choice(...members);
  return member === NEVER || member.kind === "rule" ? member : context.rules.add(member);
}

/** Where no pattern looks at names: any but the declared ones, told apart by the bytes that they are written with. */
function plainFreeMember(
  names: readonly string[],
  atoms: Atoms,
  context: ObjectContext,
  budget: Budget,
): Expression {
  const value = context.isNever(atoms) ? NEVER : context.value(atoms);
  if (value === NEVER) return NEVER;
  const dfa = without(anyNameBytes(), ofSequences(names.map(nameBytes)), budget);
  return context.rules.add(sequence({ kind: "automaton", dfa }, text(":"), context.gap, value));
}

const encoder = new TextEncoder();
const nameBytes = (name: string) => [...encoder.encode(JSON.stringify(name.toWellFormed()))];

function freeAtoms(view: View, matched: readonly string[], { document }: ObjectContext): Atoms {
  return view.objects.flatMap((part): Atom[] => {
    const own = matched.filter((source) => Object.hasOwn(part.patterns, source));
    if (own.length > 0) {
      return own.map((source) => ({
        node: document.child(part.node, part.patterns[source], "patternProperties", source),
        without: "",
      }));
    }
    if (part.additional === undefined) return [];
    return [{ node: document.child(part.node, part.additional, "additionalProperties"), without: "" }];
  });
}

/** All members with their commas, and the blanks before the bracket that closes. */
function membersExpression(
  view: View,
  members: readonly Member[],
  free: Expression,
  context: ObjectContext,
): Expression {
  const { rules, gap } = context;
  const required = members.filter((member) => member.required).length;
  const [least, most] = countBounds(view, members.length, required, free !== NEVER);
  if (most < least) return NEVER;
  const comma = sequence(text(","), gap);
  // Where numbers of members count, a place in the list is told apart by how many have come.
  const counts = least > 0 || most < Infinity;
  const known = new Map<string, Expression>();
  const budget = new Budget(STATES_MAX, "An object with so many members");

  /** What may follow when `count` members have come, from member i on; behind a first one there is a comma. */
  const rest = (i: number, count: number): Expression => {
    const key = `${i},${counts ? Math.min(count, members.length + 1) : 0}`;
    const made = known.get(key);
    if (made !== undefined) return made;
    budget.spend(1, view.path);
    if (i === members.length) {
      const tail = sequence(
        repeat(
          sequence(comma, free),
          Math.max(0, least - count),
          counts && most < Infinity ? most - count : Infinity,
        ),
        gap,
      );
      const end = free !== NEVER ? rules.add(tail) : count >= least ? gap : NEVER;
      known.set(key, end);
      return end;
    }
    const rule = rules.declare();
    known.set(key, rule);
    const { expression, required } = members[i];
    const taken = count < most ? sequence(comma, expression, rest(i + 1, count + 1)) : NEVER;
    rules.define(rule, required ? taken : choice(taken, rest(i + 1, count)));
    return rule;
  };

  const firsts: Expression[] = [];
  let i = 0;
  for (; i < members.length; i++) {
    if (most >= 1) firsts.push(sequence(members[i].expression, rest(i + 1, 1)));
    if (members[i].required) break;
  }
  if (i === members.length) {
    if (free !== NEVER && most >= 1) firsts.push(sequence(free, rest(i, 1)));
    if (least === 0) firsts.push(EMPTY);
  }
  return choice(...firsts);
}

/** How many members there must and may be, as numbers that still have to be counted. */
function countBounds(view: View, declared: number, required: number, hasFree: boolean): [number, number] {
  let [least, most] = [view.propertiesMin, view.propertiesMax];
  if (least <= required) least = 0;
  if (!hasFree && most >= declared) most = Infinity;
  if (hasFree && least > 1) {
    // A name that comes twice is one member, and an automaton cannot remember all names.
    throw new GrammarError(
      `minProperties ${least} with names that are not declared is not supported`,
      view.path,
    );
  }
  return [least, most];
}

/** An array's elements, in the same manner. */
export function arrayExpression(
  view: View,
  context: ObjectContext,
  itemOf: (i: number) => Atoms,
): Expression {
  const { gap } = context;
  if (view.unique !== undefined && view.itemsMax > 1) {
    throw new GrammarError("uniqueItems is supported with maxItems 1 alone", view.unique);
  }
  const prefix = Math.max(0, ...view.arrays.map((part) => part.prefix.length));
  const itemsAt = (i: number) => context.isNever(itemOf(i)) ? NEVER : context.value(itemOf(i));
  const tail = itemsAt(prefix);
  const items = Array.from({ length: Math.min(prefix, view.itemsMax) }, (_, i) => itemsAt(i));
  const dead = items.indexOf(NEVER);
  const most = dead >= 0 ? dead : tail === NEVER ? Math.min(view.itemsMax, prefix) : view.itemsMax;
  if (most < view.itemsMin) return NEVER;
  if (view.itemsMin > 100_000) {
    throw new GrammarError(`minItems ${view.itemsMin} is not supported`, view.path);
  }
  const bound = most > 100_000 ? Infinity : most;
  const comma = sequence(text(","), gap);
  let rest: Expression = EMPTY;
  const listed = Math.min(prefix, bound);
  if (bound > listed) {
    const more = sequence(comma, tail);
    const done = Math.max(listed, 1);
    rest = repeat(more, Math.max(0, view.itemsMin - done), bound === Infinity ? Infinity : bound - done);
  }
  for (let i = listed - 1; i >= 1; i--) {
    const body = sequence(comma, items[i], rest);
    rest = i < view.itemsMin ? body : optional(body);
  }
  if (bound === 0) return sequence(text("["), gap, text("]"));
  const first = sequence(listed > 0 ? items[0] : tail, rest, gap);
  return sequence(text("["), gap, view.itemsMin > 0 ? first : optional(first), text("]"));
}
