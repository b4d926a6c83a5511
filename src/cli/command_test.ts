import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  type Command,
  helpText,
  numberListOption,
  numberOption,
  parseCommand,
  UsageError,
} from "./command.ts";

const example: Command = {
  name: "example",
  summary: "does nothing",
  usage: "example FILE",
  positionals: { min: 1, max: 2 },
  options: [
    { name: "size", alias: "s", value: "N", help: "how large", default: "4" },
    { name: "fast", help: "hurry" },
  ],
  run: () => Promise.resolve(0),
};

Deno.test("parseCommand() takes options before and after positionals, aliases and defaults", () => {
  const args = parseCommand(example, ["-s", "7", "007", "--fast", "b"]);
  assertEquals(args.positional, ["007", "b"]);
  assertEquals(args.values.get("size"), "7");
  assertEquals(args.switches.has("fast"), true);
  assertEquals(parseCommand(example, ["a"]).values.get("size"), "4");
});

Deno.test("parseCommand() joins the values of an option that may be given several times", () => {
  const list: Command = { ...example, options: [{ name: "tag", value: "T", help: "tags", isList: true }] };
  const tag = (...argv: string[]) => parseCommand(list, ["a", ...argv]).values.get("tag");
  assertEquals([tag("--tag", "x", "--tag=y,z"), tag("--tag", "x"), tag()], ["x,y,z", "x", undefined]);
  assertThrows(() => tag("--tag", "x", "--tag"), UsageError, "--tag needs a value");
});

Deno.test("parseCommand() takes what follows -- as it is", () => {
  assertEquals(parseCommand(example, ["a", "--", "--fast"]).positional, ["a", "--fast"]);
});

Deno.test("parseCommand() takes values that begin with a dash, but no option for a value", () => {
  const size = (...argv: string[]) => parseCommand(example, ["a", ...argv]).values.get("size");
  for (
    const argv of [["--size", "-1"], ["--size=-1"], ["-s", "-1"], ["-s=-1"]]
  ) assertEquals(size(...argv), "-1");
  assertEquals([size("-s5"), size("--size", "-"), size("--size=--fast"), size("--size", "-1.5e3")], [
    "5",
    "-",
    "--fast",
    "-1.5e3",
  ]);
  assertEquals(size("--size", "- a dash and a text"), "- a dash and a text");
  assertEquals(size("--size", "1", "--size", "2"), "2");
  for (
    const argv of [["--size", "--fast"], ["-s", "-s", "1"], ["--size", "--", "b"], ["--size="], ["-s", ""]]
  ) {
    assertThrows(() => size(...argv), UsageError, "--size needs a value: N");
  }
});

Deno.test("parseCommand() takes an empty value where that is one, and switches with a value", () => {
  const command: Command = {
    ...example,
    options: [...example.options, { name: "system", value: "TEXT", help: "", mayBeEmpty: true }],
  };
  const read = (...argv: string[]) => parseCommand(command, ["a", ...argv]);
  assertEquals([read("--system", "").values.get("system"), read("--system=").values.get("system")], ["", ""]);
  const isFast = (...argv: string[]) => read(...argv).switches.has("fast");
  assertEquals([isFast("--fast=true"), isFast("--fast=false"), isFast("--fast", "--fast=false")], [
    true,
    false,
    false,
  ]);
  // A word behind a switch is a word.
  assertEquals(read("--fast", "false").positional, ["a", "false"]);
  assertThrows(() => read("--fast=no"), UsageError, "--fast takes no value, current value is no");
});

Deno.test("parseCommand() says how a text that begins with a dash is passed", () => {
  for (const text of ["-1 + 3?", "- a list", "--a text", "-5"]) {
    assertThrows(() => parseCommand(example, [text]), UsageError, "goes behind --");
    assertEquals(parseCommand(example, ["--", text]).positional, [text]);
  }
  assertEquals(parseCommand(example, ["-"]).positional, ["-"]);
  assertEquals(parseCommand(example, [""]).positional, [""]);
  for (const name of ["--slow", "--slow=1", "-x", "--sizes"]) {
    const { message } = assertThrows(() => parseCommand(example, ["a", name]), UsageError);
    assertEquals(message, `unknown option ${name.split("=")[0]} for "example"; see kumi example --help`);
  }
});

Deno.test("parseCommand() refuses unknown options, missing values and too many arguments", () => {
  assertThrows(() => parseCommand(example, ["a", "--slow"]), UsageError, "unknown option --slow");
  assertThrows(() => parseCommand(example, ["a", "--size"]), UsageError, "--size needs a value: N");
  assertThrows(() => parseCommand(example, ["a", "b", "c"]), UsageError, "takes 1 to 2 arguments, got 3");
});

Deno.test("numberOption() and numberListOption() check ranges", () => {
  const args = (value: string) => parseCommand(example, ["a", `--size=${value}`]);
  const range = { min: 1, max: 10, integer: true };
  assertEquals(numberOption(args("10"), "size", range), 10);
  for (const bad of ["0", "11", "2.5", "x", "1e400"]) {
    assertThrows(() => numberOption(args(bad), "size", range), UsageError, `current value is ${bad}`);
  }
  assertEquals(numberListOption(args("1,2,10"), "size", range), [1, 2, 10]);
  for (const bad of ["1,,2", "1,11", "a"]) {
    assertThrows(() => numberListOption(args(bad), "size", range), UsageError, `current value is ${bad}`);
  }
});

Deno.test("helpText() names every option with its default", () => {
  const text = helpText(example);
  assertStringIncludes(text, "-s, --size N");
  assertStringIncludes(text, "(default 4)");
  assertStringIncludes(text, "usage: kumi example FILE");
});
