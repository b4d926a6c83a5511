/** Automata of decimal numbers: within bounds, multiples of another. @module */

import { type Dfa, explore } from "../automata/dfa.ts";
import { matchDfa } from "../automata/regex.ts";
import { Budget, GrammarError } from "../error.ts";

/** Digits before and behind the point where nothing bounds them. */
const DIGITS_MAX = 40;
/** Digits of numbers with bounds: as many as a double keeps, so that who reads them as such finds them within the bounds. */
const EXACT_DIGITS = 15;
/** Exponents with which no number is too large for a double. */
const EXPONENT = "[eE][-+]?(0?[0-9]{1,2}|1[0-9]{2}|2[0-5][0-9])";
const EXPONENT_OF_DIGIT = "[eE][-+]?([0-2]?[0-9]{1,2}|30[0-7])";
const DIVISOR_MAX = 100_000n;

/** What numbers there may be. */
export interface NumberBounds {
  readonly integer: boolean;
  readonly least?: number;
  readonly most?: number;
  /** Whether the bounds themselves are left out. */
  readonly above?: boolean;
  readonly below?: boolean;
  readonly multipleOf: readonly number[];
}

interface Decimal {
  readonly negative: boolean;
  /** Without leading zeros; "0" for zero. */
  readonly whole: string;
  /** Without zeros at its end. */
  readonly fraction: string;
}

/** A number in plain decimal digits. */
export function decimal(value: number): Decimal {
  const [, sign, whole, fraction = "", exponent = "0"] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(
    String(value),
  )!;
  const shift = Number(exponent);
  let digits = whole + fraction, point = whole.length + shift;
  if (point < 1) {
    digits = "0".repeat(1 - point) + digits;
    point = 1;
  }
  digits = digits.padEnd(point, "0");
  return {
    negative: sign === "-",
    whole: digits.slice(0, point).replace(/^0+(?=\d)/, ""),
    fraction: digits.slice(point).replace(/0+$/, ""),
  };
}

/** A bound on what stands behind the sign. */
interface Magnitude extends Decimal {
  readonly open: boolean;
}

/** A text of JSON that is a number within bounds. Without bounds numbers may have exponents, within them not. */
export function numberDfa(bounds: NumberBounds, path: string): Dfa {
  const { integer, least, most, multipleOf } = bounds;
  const budget = new Budget(500_000, "A number's range");
  if (least === undefined && most === undefined && multipleOf.length === 0) {
    const digits = `-?(0|[1-9][0-9]{0,${DIGITS_MAX - 1}})`;
    const fraction = `(\\.[0-9]{1,${DIGITS_MAX}})?`;
    return matchDfa(
      integer ? digits : `${digits}${fraction}(${EXPONENT})?|-?[0-9]${fraction}${EXPONENT_OF_DIGIT}`,
      budget,
    );
  }
  const step = stepOf(multipleOf, integer, path);
  const low = least === undefined ? undefined : { ...decimal(least), open: bounds.above ?? false };
  const high = most === undefined ? undefined : { ...decimal(most), open: bounds.below ?? false };
  // Zero is written without a sign, so of the negative numbers only those below it are there.
  const zero: Magnitude = { negative: false, whole: "0", fraction: "", open: true };
  const positive = high !== undefined && high.negative
    ? undefined
    : { low: low === undefined || low.negative ? undefined : low, high };
  const negative = low !== undefined && (!low.negative || low.whole === "0" && low.fraction === "")
    ? undefined
    : { low: high !== undefined && high.negative ? high : zero, high: low };
  return digitsDfa(positive, negative, step, budget);
}

interface Step {
  /** Most digits behind the point. */
  readonly fraction: number;
  /** The number without its point, to that many digits, is a multiple of it. */
  readonly divisor: bigint;
}

/** The least common multiple of all, as digits and a divisor. */
function stepOf(multiples: readonly number[], integer: boolean, path: string): Step {
  const all = multiples.map(decimal);
  if (integer) all.push(decimal(1));
  if (all.length === 0) return { fraction: DIGITS_MAX, divisor: 1n };
  const fraction = Math.max(...all.map((one) => one.fraction.length));
  const gcd = (a: bigint, b: bigint): bigint => b === 0n ? a : gcd(b, a % b);
  let divisor = 1n;
  for (const one of all) {
    const value = BigInt(one.whole + one.fraction.padEnd(fraction, "0"));
    divisor = divisor / gcd(divisor, value) * value;
  }
  if (divisor > DIVISOR_MAX || fraction > DIGITS_MAX) {
    throw new GrammarError(
      `multipleOf ${multiples.join(" and ")} is not supported: too many remainders`,
      path,
    );
  }
  // Digits behind those of the multiples would have to be zeros; nobody needs to write them.
  return { fraction, divisor };
}

interface Span {
  readonly low?: Magnitude;
  readonly high?: Magnitude;
}

/** How the digits so far compare with a bound's: less, equal, more. */
type Order = -1 | 0 | 1;

interface Reading {
  /** Which side of zero; undefined before the sign. */
  readonly span?: Span;
  readonly digits: number;
  /** −1 before the point. */
  readonly behind: number;
  readonly toLow: Order;
  readonly toHigh: Order;
  readonly rest: bigint;
  readonly isZero: boolean;
}

function digitsDfa(positive: Span | undefined, negative: Span | undefined, step: Step, budget: Budget): Dfa {
  const begin = (span: Span): Reading => ({
    span,
    digits: 0,
    behind: -1,
    toLow: 0,
    toHigh: 0,
    rest: 0n,
    isZero: false,
  });
  const compare = (
    order: Order,
    digit: number,
    bound: Magnitude | undefined,
    { digits, behind }: Reading,
  ): Order => {
    if (bound === undefined || order !== 0) return order;
    const text = behind >= 0 ? bound.fraction[behind] ?? "0" : bound.whole[digits];
    if (text === undefined) return 0; // more digits than the bound has: its length decides
    return Math.sign(digit - Number(text)) as Order;
  };
  const add = (state: Reading, digit: number): Reading => ({
    ...state,
    toLow: compare(state.toLow, digit, state.span!.low, state),
    toHigh: compare(state.toHigh, digit, state.span!.high, state),
    rest: (state.rest * 10n + BigInt(digit)) % step.divisor,
    digits: state.behind < 0 ? state.digits + 1 : state.digits,
    behind: state.behind < 0 ? -1 : state.behind + 1,
    isZero: state.behind < 0 ? state.digits === 0 && digit === 0 : state.isZero,
  });
  /** The whole number's size against a bound's: its length first, then its digits, then the fraction's. */
  const order = (bound: Magnitude, digitsOrder: Order, state: Reading): Order => {
    if (state.digits !== bound.whole.length) return state.digits < bound.whole.length ? -1 : 1;
    if (digitsOrder !== 0) return digitsOrder;
    const seen = Math.max(state.behind, 0);
    return bound.fraction.length > seen ? -1 : 0;
  };
  const within = (state: Reading): boolean => {
    const { low, high } = state.span!;
    if (low !== undefined) {
      const side = order(low, state.toLow, state);
      if (side < 0 || side === 0 && low.open) return false;
    }
    if (high === undefined) return true;
    const side = order(high, state.toHigh, state);
    return side < 0 || side === 0 && !high.open;
  };
  const digitEdges = (state: Reading): [number, number, Reading][] => {
    const { digits, behind } = state;
    const edges: [number, number, Reading][] = [];
    const ends = [state.span!.high, state.span!.low].filter((bound) => bound !== undefined);
    const wholeMax = Math.max(EXACT_DIGITS, ...ends.map(({ whole }) => whole.length));
    // Zeros before the first other digit are counted, too: then fewer are written, not more.
    const exact = Math.max(
      EXACT_DIGITS,
      ...ends.map(({ whole, fraction }) => whole.length + fraction.length),
    );
    const behindMax = Math.min(step.fraction, exact - digits);
    if (behind < 0 && digits > 0 && behindMax > 0) edges.push([0x2e, 0x2e, { ...state, behind: 0 }]);
    const more = behind >= 0 ? behind < behindMax : !state.isZero && digits < wholeMax;
    if (more) {
      for (let digit = 0; digit <= 9; digit++) edges.push([0x30 + digit, 0x30 + digit, add(state, digit)]);
    }
    return edges;
  };
  return explore<Reading>({
    first: { digits: 0, behind: -1, toLow: 0, toHigh: 0, rest: 0n, isZero: false },
    key: (state) => {
      const side = state.span === undefined ? "s" : state.span === positive ? "p" : "n";
      return [side, state.digits, state.behind, state.toLow, state.toHigh, state.rest, state.isZero].join();
    },
    accepts: (state) => {
      if (state.span === undefined || state.digits === 0 || state.behind === 0) return false;
      const missing = BigInt(
        step.fraction === DIGITS_MAX && step.divisor === 1n ? 0 : step.fraction - Math.max(0, state.behind),
      );
      return state.rest * 10n ** missing % step.divisor === 0n && within(state);
    },
    edges: (state) => {
      if (state.span !== undefined) return digitEdges(state);
      const edges: [number, number, Reading][] = [];
      if (negative !== undefined) edges.push([0x2d, 0x2d, begin(negative)]);
      if (positive !== undefined) edges.push(...digitEdges(begin(positive)));
      return edges;
    },
  }, budget);
}
