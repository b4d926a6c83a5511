import { assertEquals, assertThrows } from "@std/assert";
import { canonicalJson } from "./canonical.ts";

Deno.test("canonicalJson() writes the example of RFC 8785", () => {
  const value = {
    numbers: [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001, -0],
    string: "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
    literals: [null, true, false],
  };
  assertEquals(
    canonicalJson(value),
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27,0],' +
      '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  );
});

Deno.test("canonicalJson() orders names by their code units and leaves undefined out", () => {
  const value = {
    "\u20ac": 1,
    "\r": 2,
    "1": 3,
    "\u{1F600}": 4,
    "\u0080": 5,
    "\u00f6": 6,
    "\ufb33": 7,
    x: undefined,
  };
  assertEquals(canonicalJson(value), '{"\\r":2,"1":3,"\u0080":5,"ö":6,"€":1,"\u{1F600}":4,"\ufb33":7}');
  assertEquals(canonicalJson({ b: { d: 1, c: [] }, a: {} }), '{"a":{},"b":{"c":[],"d":1}}');
});

Deno.test("canonicalJson() refuses what JSON cannot say", () => {
  for (const value of [NaN, Infinity, () => {}, 1n, "\ud800", [undefined], Symbol("a")]) {
    assertThrows(() => canonicalJson(value), TypeError);
  }
});
