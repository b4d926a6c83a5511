/**
 * Stand-in for the part of `@std/assert` that this project uses, over `node:assert` and `node:util`, for
 * networks that do not reach JSR. Same names and meaning; one difference: `assertEquals` here tells 0 from
 * -0, so code that passes here passes there.
 * @module
 */

import { deepStrictEqual } from "node:assert";
import { inspect, isDeepStrictEqual } from "node:util";

/** Thrown by every assertion of this module. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

// deno-lint-ignore no-explicit-any
type ErrorClass<E extends Error = Error> = abstract new (...args: any[]) => E;

function show(value: unknown): string {
  return inspect(value, { depth: 6, breakLength: 100 });
}

function refuse(problem: string, msg?: string): never {
  throw new AssertionError(msg === undefined ? problem : `${problem.replace(/\.$/, "")}: ${msg}`);
}

/** Fails unless `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

/** Fails unless `expr` is falsy. */
export function assertFalse(expr: unknown, msg = ""): asserts expr is false {
  if (expr) throw new AssertionError(msg);
}

/** Fails always. */
export function fail(msg?: string): never {
  refuse("Failed assertion.", msg);
}

/** Marks code that cannot run. */
export function unreachable(msg?: string): never {
  refuse("Unreachable.", msg);
}

/** Fails unless both values are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  try {
    deepStrictEqual(actual, expected);
  } catch (error) {
    refuse(error instanceof Error ? error.message : String(error), msg);
  }
}

/** Fails when both values are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (isDeepStrictEqual(actual, expected)) {
    refuse(`Expected values to differ, both are ${show(actual)}.`, msg);
  }
}

/** Fails unless both are the same value or object (`Object.is`). */
export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T {
  if (!Object.is(actual, expected)) {
    refuse(`Expected ${show(expected)} itself, current value is ${show(actual)}.`, msg);
  }
}

/** Fails when both are the same value or object (`Object.is`). */
export function assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void {
  if (Object.is(actual, expected)) refuse(`Expected two different values, both are ${show(actual)}.`, msg);
}

/** Fails when `actual` is null or undefined. */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  if (actual === undefined || actual === null) refuse(`Expected a value, current value is ${actual}.`, msg);
}

/** Fails unless |actual − expected| ≤ tolerance; the default tolerance is 1e-7 of `expected`. */
export function assertAlmostEquals(actual: number, expected: number, tolerance?: number, msg?: string): void {
  if (Object.is(actual, expected)) return;
  const limit = tolerance ?? (Number.isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7);
  const distance = Math.abs(expected - actual);
  if (!(distance <= limit)) {
    refuse(`Expected ${expected} ± ${limit}, current value is ${actual} (distance ${distance}).`, msg);
  }
}

/** Fails unless `actual > expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual > expected)) refuse(`Expected ${show(actual)} > ${show(expected)}.`, msg);
}

/** Fails unless `actual >= expected`. */
export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual >= expected)) refuse(`Expected ${show(actual)} >= ${show(expected)}.`, msg);
}

/** Fails unless `actual < expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual < expected)) refuse(`Expected ${show(actual)} < ${show(expected)}.`, msg);
}

/** Fails unless `actual <= expected`. */
export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual <= expected)) refuse(`Expected ${show(actual)} <= ${show(expected)}.`, msg);
}

/** Fails unless `actual` contains `expected`. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) refuse(`Expected ${show(actual)} to contain ${show(expected)}.`, msg);
}

/** Fails unless each of `expected` deeply equals an element of `actual`. */
export function assertArrayIncludes<T>(actual: ArrayLike<T>, expected: ArrayLike<T>, msg?: string): void {
  const elements = Array.from(actual);
  const missing = Array.from(expected).filter((want) =>
    !elements.some((have) => isDeepStrictEqual(have, want))
  );
  if (missing.length > 0) refuse(`Expected ${show(elements)} to include ${show(missing)}.`, msg);
}

/** Fails unless `expected` matches `actual`. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  if (!expected.test(actual)) refuse(`Expected ${show(actual)} to match ${expected}.`, msg);
}

/** Fails when `expected` matches `actual`. */
export function assertNotMatch(actual: string, expected: RegExp, msg?: string): void {
  if (expected.test(actual)) refuse(`Expected ${show(actual)} not to match ${expected}.`, msg);
}

/** Fails unless `actual` is an instance of `type`. */
export function assertInstanceOf<E>(
  actual: unknown,
  // deno-lint-ignore no-explicit-any
  type: abstract new (...args: any[]) => E,
  msg?: string,
): asserts actual is E {
  if (!(actual instanceof type)) refuse(`Expected an instance of ${type.name}: ${show(actual)}.`, msg);
}

/** Fails unless `error` is an Error of the class whose message contains the text. */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  errorClass?: ErrorClass<E>,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  if (!(error instanceof Error)) refuse(`Expected an Error: ${show(error)}.`, msg);
  if (errorClass && !(error instanceof errorClass)) {
    refuse(`Expected a ${errorClass.name}, got ${error.constructor.name}: ${error.message}.`, msg);
  }
  const found = msgMatches === undefined ||
    (typeof msgMatches === "string" ? error.message.includes(msgMatches) : msgMatches.test(error.message));
  if (!found) refuse(`Expected the message to contain ${show(msgMatches)}, got ${show(error.message)}.`, msg);
}

/** Fails unless `fn` throws. Returns what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Fails unless `fn` throws an error of the class whose message contains the text. Returns the error. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  errorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(
  fn: () => unknown,
  errorClassOrMsg?: ErrorClass | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  const errorClass = typeof errorClassOrMsg === "string" ? undefined : errorClassOrMsg;
  const note = typeof errorClassOrMsg === "string" ? errorClassOrMsg : msg;
  try {
    fn();
  } catch (error) {
    if (errorClass) assertIsError(error, errorClass, msgIncludes, note);
    return error;
  }
  refuse("Expected function to throw.", note);
}

/** Fails unless the promise of `fn` rejects. Resolves to the reason. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** Fails unless the promise of `fn` rejects with an error of the class whose message contains the text. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  errorClassOrMsg?: ErrorClass | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  const errorClass = typeof errorClassOrMsg === "string" ? undefined : errorClassOrMsg;
  const note = typeof errorClassOrMsg === "string" ? errorClassOrMsg : msg;
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch (error) {
    refuse(`Expected function to reject, but it threw ${show(error)}.`, note);
  }
  try {
    await promise;
  } catch (error) {
    if (errorClass) assertIsError(error, errorClass, msgIncludes, note);
    return error;
  }
  refuse("Expected function to reject.", note);
}
