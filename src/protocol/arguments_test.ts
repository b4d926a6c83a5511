import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import {
  anyOf,
  type Check,
  checkOptions,
  fieldsOf,
  isBoolean,
  isFunction,
  isNumber,
  isRecord,
  isSignal,
  isString,
  isTokens,
  listOf,
  numberIn,
  oneOf,
  showArgument,
} from "./arguments.ts";

/** What a check says about a value, "" where it takes it. */
function said(check: Check, value: unknown): string {
  try {
    check("x", value);
    return "";
  } catch (error) {
    assertInstanceOf(error, Error);
    return `${error.name}: ${error.message}`;
  }
}

Deno.test("checks take what they are for and name the type and the current value of all else", () => {
  for (
    const [check, good, bad, message] of [
      [isString, "", 5, "TypeError: x must be a string, current value is 5"],
      [isString, "a", null, "TypeError: x must be a string, current value is null"],
      [isBoolean, false, "yes", 'TypeError: x must be true or false, current value is "yes"'],
      [isFunction, () => {}, {}, "TypeError: x must be a function, current value is an object"],
      [isNumber, NaN, "5", 'TypeError: x must be a number, current value is "5"'],
      [isRecord, {}, [1, 2], "TypeError: x must be an object, current value is a list of 2"],
      [
        isSignal,
        new AbortController().signal,
        new AbortController(),
        "current value is an object of class AbortController",
      ],
      [isTokens, [1, 2], [1, "2"], 'TypeError: x[1] must be a number, current value is "2"'],
      [isTokens, new Uint32Array(2), "12", 'TypeError: x must be a list of token ids, current value is "12"'],
      [isTokens, [], new DataView(new ArrayBuffer(1)), "TypeError: x must be a list of token ids"],
      [
        listOf(isString),
        ["a"],
        ["a", undefined],
        "TypeError: x[1] must be a string, current value is undefined",
      ],
      [oneOf(["a", "b"]), "a", "c", 'RangeError: x must be one of a, b, current value is "c"'],
      [oneOf([true, "all"]), true, 1, "TypeError: x must be one of true, all, current value is 1"],
      [
        numberIn({ min: 0, max: 1 }),
        1,
        1.5,
        "RangeError: x must be a number from 0 to 1, current value is 1.5",
      ],
      [
        numberIn({ min: 0, max: 9 }),
        0,
        NaN,
        "RangeError: x must be a number from 0 to 9, current value is NaN",
      ],
      [numberIn({ min: 0, max: 9, integer: true }), 9, 0.5, "RangeError: x must be an integer from 0 to 9"],
      [numberIn({ min: 0, max: 9 }), 0, 5n, "TypeError: x must be a number from 0 to 9, current value is 5n"],
      [
        fieldsOf({ a: isNumber }, ["a"]),
        { a: 1 },
        {},
        "TypeError: x.a must be given, current value is undefined",
      ],
      [fieldsOf({ a: isNumber }), { a: undefined }, { b: 1 }, 'TypeError: There is no field "b" in x'],
    ] as [Check, unknown, unknown, string][]
  ) {
    assertEquals(said(check, good), "");
    const message_ = said(check, bad);
    assertEquals(message_.includes(message), true, `${message_} has no ${message}`);
  }
});

Deno.test("anyOf() lets the kind that fits say what is wrong inside", () => {
  const check = anyOf(
    "a string or a list of strings",
    (value) => typeof value === "string" ? isString : null,
    (value) => Array.isArray(value) ? listOf(isString) : null,
  );
  assertEquals([said(check, "a"), said(check, ["a"])], ["", ""]);
  assertEquals(said(check, 5), "TypeError: x must be a string or a list of strings, current value is 5");
  assertEquals(said(check, [5]), "TypeError: x[0] must be a string, current value is 5");
});

Deno.test("checkOptions() refuses names that there are not, and says which was meant", () => {
  const checks = { temperature: isNumber, maxTokens: isNumber, stop: isString };
  checkOptions("f()", { temperature: 1, stop: undefined }, checks);
  const refused = (options: unknown) =>
    assertThrows(() => checkOptions("f()", options, checks), TypeError).message;
  assertEquals(
    refused({ temprature: 1 }),
    'There is no option "temprature" of f(), did you mean "temperature"?',
  );
  assertEquals(
    refused({ max_tokens: 1 }),
    'There is no option "max_tokens" of f(), did you mean "maxTokens"?',
  );
  assertEquals(refused({ frobnicate: 1 }), 'There is no option "frobnicate" of f()');
  assertEquals(refused({ toString: 1 }), 'There is no option "toString" of f()');
  assertEquals(refused({ temperature: "1" }), 'Option "temperature" must be a number, current value is "1"');
  assertEquals(
    refused({ temperature: null }),
    'Option "temperature" must be a number, current value is null',
  );
  for (const [options, shown] of [[null, "null"], ["x", '"x"'], [[1], "a list of 1"]]) {
    assertEquals(refused(options), `The options of f() must be an object, current value is ${shown}`);
  }
});

Deno.test("showArgument() is one line of a bounded length, whatever the value", () => {
  assertEquals(showArgument("a\n\u001b[2J"), '"a\\n\\u001b[2J"');
  assertEquals(showArgument("x".repeat(1000)).length < 100, true);
  assertEquals(showArgument(Object.create(null)), "an object");
  assertEquals(showArgument(new Map()), "an object of class Map");
  assertEquals(showArgument(Symbol("s")), "Symbol(s)");
});
