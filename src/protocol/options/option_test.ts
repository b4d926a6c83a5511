import { assert, assertEquals, assertThrows } from "@std/assert";
import { checkOptions } from "../arguments.ts";
import { CHAT, EMBEDDING, GENERATION } from "./generation.ts";
import { boolean, choice, integer, list, number, open, text, tokenIds, words } from "./kind.ts";
import { LOAD } from "./load.ts";
import {
  type Agreement,
  checksOf,
  collect,
  docOf,
  fieldKind,
  fieldName,
  flagOf,
  type OptionTable,
  settableBy,
  settingName,
} from "./option.ts";
import { SAMPLING, samplingDefaults } from "./sampling.ts";

const TABLE = {
  depth: { kind: integer(1, 9), default: 3, doc: "how deep" },
  speed: { kind: open(number(0, 5)), doc: "how fast", setBy: ["operator"], flag: { value: "N" } },
  mode: { kind: words(["low", "high"]), doc: "how" },
  ends: { kind: choice(text(1, 8), list(text(1, 8), 0, 4, "a list of strings")), doc: "where" },
  ids: { kind: tokenIds(0, 4), doc: "which" },
  inner: {
    kind: words(["x"]),
    doc: "inside",
    table: { quick: { kind: boolean, doc: "faster", setBy: ["operator"] } },
  },
} as const satisfies OptionTable;

interface Same {
  depth?: number;
  speed?: number;
  mode?: "low" | "high";
  ends?: string | readonly string[];
  ids?: readonly number[];
  inner?: "x";
}

Deno.test("Agreement names the options about which an interface and a table differ", () => {
  true satisfies Agreement<Same, typeof TABLE>;
  "depth" satisfies Agreement<Omit<Same, "depth">, typeof TABLE>;
  "more" satisfies Agreement<Same & { more?: boolean }, typeof TABLE>;
  "mode" satisfies Agreement<Omit<Same, "mode"> & { mode?: string }, typeof TABLE>;
  // @ts-expect-error: they do not agree.
  true satisfies Agreement<Omit<Same, "ids"> & { ids?: string }, typeof TABLE>;
});

Deno.test("checksOf() checks types and ranges, and leaves open ranges to whoever knows more", () => {
  const checks = checksOf(TABLE);
  const refused = (options: object) => {
    const error = assertThrows(() => checkOptions("f()", options, checks));
    return `${(error as Error).name}: ${(error as Error).message}`;
  };
  checkOptions("f()", { depth: 9, speed: 500, mode: "low", ends: ["a"], ids: new Uint32Array(2) }, checks);
  assertEquals(
    refused({ depth: 10 }),
    'RangeError: Option "depth" must be an integer from 1 to 9, current value is 10',
  );
  assertEquals(
    refused({ speed: "5" }),
    'TypeError: Option "speed" must be a number, current value is "5"',
  );
  assertEquals(
    refused({ mode: "mid" }),
    'RangeError: Option "mode" must be one of low, high, current value is "mid"',
  );
  assertEquals(
    refused({ ends: 5 }),
    'TypeError: Option "ends" must be a string or a list of strings, current value is 5',
  );
  assertEquals(refused({ ids: ["a"] }), 'TypeError: Option "ids"[0] must be a number, current value is "a"');
});

Deno.test("settableBy() finds the options within options, collect() puts them there", () => {
  const options = settableBy("operator", TABLE);
  assertEquals(options.map(({ name, within }) => [name, within]), [["speed", undefined], ["quick", "inner"]]);
  assertEquals(collect(options, ({ name }) => name === "quick" ? true : undefined), {
    inner: { quick: true },
  });
});

Deno.test("every option has a name of its own wherever it can be set, and a sentence", () => {
  for (const [setter, table] of [["terminal", { ...LOAD, ...GENERATION }], ["operator", LOAD]] as const) {
    const options = settableBy(setter, table);
    const names = options.map((option) => flagOf(settingName(option)));
    assertEquals(new Set(names).size, names.length);
    for (const { name, kind, flag, doc } of options) {
      assert(setter === "operator" || kind.type === "boolean" || flag?.value !== undefined, name);
      assert(/^[^A-Z].*[^.]$|^KV|^CPU/.test(doc), `${name}: ${doc}`);
    }
  }
  for (const table of [CHAT, EMBEDDING]) {
    const options = settableBy("client", table);
    assertEquals(new Set(options.map(fieldName)).size, options.length);
    for (const option of options) assert(/^[A-Z0-9].*\.$/.test(docOf(option, "client")), option.name);
  }
});

Deno.test("clients' bounds are the library's but where an interface that they know has others", () => {
  const other = settableBy("client", SAMPLING).filter(({ field }) => field !== undefined).map((option) => {
    const kind = fieldKind(option);
    return [fieldName(option), "min" in kind && kind.min, "max" in kind && kind.max];
  });
  assertEquals(other, [
    ["temperature", 0, 2],
    ["top_k", -1, 1 << 20],
    ["seed", -1, Number.MAX_SAFE_INTEGER],
  ]);
  assertEquals(fieldKind(SAMPLING.topP), SAMPLING.topP.kind);
});

Deno.test("what the comments of public options say of ranges and defaults is what the tables say", () => {
  const tables: [string, OptionTable, number][] = [
    ["sampling.ts", SAMPLING, 4],
    ["generation.ts", GENERATION, 2],
  ];
  for (const [file, table, count] of tables) {
    const source = Deno.readTextFileSync(new URL(file, import.meta.url));
    let seen = 0;
    for (const [, comment, name] of source.matchAll(/\/\*\*((?:[^*]|\*(?!\/))*)\*\/\s+(\w+)\?:/g)) {
      const kind = table[name]?.kind;
      const range = /(−?\d+) to (−?\d+)/.exec(comment.replaceAll(/\s+\*?\s*/g, " "));
      if (range === null || kind === undefined || !("min" in kind)) continue;
      seen++;
      const said = range.slice(1).map((each) => Number(each.replace("−", "-")));
      assertEquals([name, ...said], [name, kind.min, kind.max]);
    }
    assertEquals([file, seen], [file, count]);
  }
  assertEquals(samplingDefaults.temperature, SAMPLING.temperature.default);
});
