// Runs with the local stand-ins and, in setup_std_test.ts, with the same names from a registry: what holds
// here holds in both.
import {
  assert,
  assertAlmostEquals,
  assertArrayIncludes,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertNotMatch,
  assertNotStrictEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
  unreachable,
} from "@std/assert";
import { parseArgs } from "@std/cli";
import { eTag, ifNoneMatch } from "@std/http/etag";
import { accepts } from "@std/http/negotiation";

Deno.test("parseArgs() reads long options", () => {
  const options = { string: ["model", "n"], boolean: ["raw"] } as const;
  const args = parseArgs(["--model", "a.gguf", "--raw", "hi", "--n=7", "there"], options);
  assertEquals([args.model, args.raw, args.n, args._], ["a.gguf", true, "7", ["hi", "there"]]);
  const empty = parseArgs([], options);
  assertEquals([empty.model, empty.raw, empty._], [undefined, false, []]);
});

Deno.test("parseArgs() gives a string option without a value the empty string", () => {
  assertEquals(parseArgs(["--model"], { string: ["model"] }).model, "");
  assertEquals(parseArgs(["--model", "--raw"], { string: ["model"], boolean: ["raw"] }).model, "");
  assertEquals(parseArgs(["-m"], { string: ["m"] }).m, "");
});

Deno.test("parseArgs() keeps equals signs, spaces and line ends in values", () => {
  assertEquals(parseArgs(["--x=a=b c\nd"], { string: ["x"] }).x, "a=b c\nd");
  assertEquals(parseArgs(["--x", "a=b"], { string: ["x"] }).x, "a=b");
});

Deno.test("parseArgs() takes true and false for booleans", () => {
  const read = (...argv: string[]) => parseArgs(argv, { boolean: ["raw"] });
  assertEquals([read("--raw=false").raw, read("--raw=true").raw, read("--raw", "false").raw], [
    false,
    true,
    false,
  ]);
  assertEquals(read("--raw", "word")._, ["word"]);
});

Deno.test("parseArgs() reads short options alone, together and with values", () => {
  const read = (...argv: string[]) => parseArgs(argv, { string: ["n", "m"], boolean: ["v", "q"] });
  assertEquals([read("-v").v, read("-vq").v, read("-vq").q], [true, true, true]);
  assertEquals([read("-n", "5").n, read("-n5").n, read("-n=5").n, read("-vn", "5").n], ["5", "5", "5", "5"]);
  assertEquals(read("-v", "word")._, ["word"]);
});

Deno.test("parseArgs() makes numbers of what is not declared as text", () => {
  const args = parseArgs(["--n", "5", "1e3", "x"]);
  assertEquals([args.n, args._], [5, [1000, "x"]]);
  assertEquals<unknown>(parseArgs(["12"], { string: ["_"] })._, ["12"]);
});

Deno.test("parseArgs() sets every name of an alias", () => {
  const args = parseArgs(["-m", "a", "--quiet"], {
    string: ["model"],
    boolean: ["q"],
    alias: { m: "model", q: ["quiet"] },
  });
  assertEquals([args.m, args.model, args.q, args.quiet], ["a", "a", true, true]);
});

Deno.test("parseArgs() fills in defaults", () => {
  const args = parseArgs(["--b", "2"], {
    string: ["a", "b"],
    boolean: ["c"],
    default: { a: "1", b: "9", c: true },
  });
  assertEquals([args.a, args.b, args.c], ["1", "2", true]);
});

Deno.test("parseArgs() negates and collects what may be", () => {
  const args = parseArgs(["--no-color", "--stop", "a", "--stop", "b"], {
    boolean: ["color"],
    negatable: ["color"],
    string: ["stop", "bias"],
    collect: ["stop", "bias"],
    default: { color: true },
  });
  assertEquals([args.color, args.stop, args.bias], [false, ["a", "b"], []]);
});

Deno.test("parseArgs() leaves what follows -- alone", () => {
  assertEquals(parseArgs(["a", "--", "--x", "b"])._, ["a", "--x", "b"]);
  const args = parseArgs(["a", "--", "--x"], { "--": true });
  assertEquals([args._, args["--"]], [["a"], ["--x"]]);
});

Deno.test("parseArgs() stops early when told to", () => {
  const args = parseArgs(["--v", "run", "--x", "1"], { boolean: ["v"], stopEarly: true });
  assertEquals([args.v, args._], [true, ["run", "--x", "1"]]);
});

Deno.test("parseArgs() asks about what is not declared", () => {
  const seen: [string, string | undefined, unknown][] = [];
  const args = parseArgs(["--known", "--other=3", "word"], {
    boolean: ["known"],
    unknown: (arg: string, key?: string, value?: unknown) => {
      seen.push([arg, key, value]);
      return key === undefined;
    },
  });
  assertEquals(args, { _: ["word"], known: true });
  assertEquals(seen, [["--other=3", "other", "3"], ["word", undefined, undefined]]);
});

Deno.test("assertions pass when they should", async () => {
  assert(1);
  assertFalse(0);
  assertEquals({ a: [1, new Map([["x", NaN]])] }, { a: [1, new Map([["x", NaN]])] });
  assertEquals(new Float32Array([1, 2]), new Float32Array([1, 2]));
  assertNotEquals([1], [2]);
  assertStrictEquals("a", "a");
  assertNotStrictEquals({}, {});
  assertExists(0);
  assertAlmostEquals(1, 1 + 1e-9);
  assertAlmostEquals(1, 1.4, 0.5);
  assertGreater(2, 1);
  assertGreaterOrEqual(2, 2);
  assertLess(1, 2);
  assertLessOrEqual(2, 2);
  assertStringIncludes("abc", "b");
  assertArrayIncludes([1, { a: 2 }], [{ a: 2 }]);
  assertMatch("abc", /b/);
  assertNotMatch("abc", /d/);
  assertInstanceOf(new TypeError("x"), TypeError);
  assertEquals(assertThrows(() => JSON.parse("{"), SyntaxError).name, "SyntaxError");
  assertEquals(
    (await assertRejects(() => Promise.reject(new RangeError("far")), RangeError, "far")).message,
    "far",
  );
});

Deno.test("eTag() is one text's own, and what a header may hold", async () => {
  const tag = await eTag("ä");
  assertMatch(tag, /^"[\x21\x23-\x7e]+"$/);
  assertEquals(await eTag("ä"), tag);
  const others = await Promise.all(["", "a", "ä ", "\u00e4\u0000"].map((text) => eTag(text)));
  assertEquals(new Set([tag, ...others]).size, 5);
});

Deno.test("ifNoneMatch() is false for a tag that the header has, weak or not, and for *", () => {
  assertEquals([ifNoneMatch(null, '"a"'), ifNoneMatch('"a"', undefined), ifNoneMatch("", '"a"')], [
    true,
    true,
    true,
  ]);
  for (const header of ['"a"', 'W/"a"', '"b", "a"', '"b","a" , "c"', "*", " * "]) {
    assertFalse(ifNoneMatch(header, '"a"'), header);
    assertFalse(ifNoneMatch(header, 'W/"a"'), header);
  }
  for (const header of ['"b"', "a", '"A"', '"b", W/"c"']) assert(ifNoneMatch(header, '"a"'), header);
});

Deno.test("accepts() chooses the media type that a request likes best", () => {
  const types = ["text/html", "application/json", "text/plain"];
  const choose = (accept: string | null) =>
    accepts({ headers: new Headers(accept === null ? {} : { accept }) }, ...types);
  const cases: [string | null, string | undefined][] = [
    [null, "text/html"],
    ["*/*", "text/html"],
    ["application/json", "application/json"],
    ["Application/JSON", "application/json"],
    ["text/*", "text/html"],
    ["text/*;q=0.5, application/json;q=0.4", "text/html"],
    ["text/html;q=0.5, application/*", "application/json"],
    ["text/*;q=0.9, text/html;q=0.1, */*;q=0.2", "text/plain"],
    ["application/json, text/html", "text/html"],
    ["*/*, application/json", "application/json"],
    ["*/*;q=0.9, application/json;q=0.1", "text/html"],
    ["text/html;q=0, */*;q=0.1", "application/json"],
    ["text/html;level=1", undefined],
    ["text/html;level=1, application/json;q=0.2", "application/json"],
    ["text/html; q=0.3 , application/json ;q=0.7", "application/json"],
    ["text/html;q=high, text/plain;q=0.1", "text/plain"],
    ["image/png", undefined],
    ["nonsense", undefined],
    ["*/*;q=0", undefined],
  ];
  for (const [accept, type] of cases) assertEquals(choose(accept), type, `${accept}`);
});

Deno.test("assertions fail with an AssertionError when they should", async () => {
  const failing: [string, () => void][] = [
    ["assert", () => assert(0)],
    ["assertFalse", () => assertFalse(1)],
    ["assertEquals", () => assertEquals<unknown>({ a: 1 }, { a: 2 })],
    ["assertEquals of types", () => assertEquals<unknown>(new Uint8Array(1), [0])],
    ["assertNotEquals", () => assertNotEquals({ a: 1 }, { a: 1 })],
    ["assertStrictEquals", () => assertStrictEquals({}, {})],
    ["assertNotStrictEquals", () => assertNotStrictEquals(1, 1)],
    ["assertExists", () => assertExists(null)],
    ["assertAlmostEquals", () => assertAlmostEquals(1, 1.1)],
    ["assertAlmostEquals of NaN", () => assertAlmostEquals(NaN, 1, 5)],
    ["assertGreater", () => assertGreater(1, 1)],
    ["assertGreaterOrEqual", () => assertGreaterOrEqual(1, 2)],
    ["assertLess", () => assertLess(1, 1)],
    ["assertLessOrEqual", () => assertLessOrEqual(2, 1)],
    ["assertStringIncludes", () => assertStringIncludes("abc", "d")],
    ["assertArrayIncludes", () => assertArrayIncludes([1], [2])],
    ["assertMatch", () => assertMatch("abc", /d/)],
    ["assertNotMatch", () => assertNotMatch("abc", /b/)],
    ["assertInstanceOf", () => assertInstanceOf(new Error("x"), TypeError)],
    ["fail", () => fail("x")],
    ["unreachable", () => unreachable()],
    ["assertThrows of nothing", () => void assertThrows(() => 1)],
    ["assertThrows of another class", () => void assertThrows(() => JSON.parse("{"), RangeError)],
    ["assertThrows of another message", () => void assertThrows(() => JSON.parse("{"), SyntaxError, "far")],
  ];
  for (const [name, run] of failing) {
    let thrown: unknown;
    try {
      run();
    } catch (error) {
      thrown = error;
    }
    if (!(thrown instanceof AssertionError)) throw new Error(`${name} threw ${thrown}`);
  }
  await assertRejects(() => assertRejects(() => Promise.resolve(1)), AssertionError);
  await assertRejects(
    () => assertRejects(() => Promise.reject(new Error("near")), Error, "far"),
    AssertionError,
  );
});
