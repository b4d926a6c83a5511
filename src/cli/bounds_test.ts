/** What the command line lets through, the library and the server take, too, and the other way round. */

import { assertEquals, assertThrows } from "@std/assert";
import type * as z from "zod";
import { GENERATION } from "../protocol/options/generation.ts";
import { LOAD } from "../protocol/options/load.ts";
import { flagOf, settableBy, settingName } from "../protocol/options/option.ts";
import { SAMPLING } from "../protocol/options/sampling.ts";
import { resolveSampling } from "../protocol/sampling.ts";
import { GENERATION_FIELDS } from "../server/dialects/openai/fields.ts";
import { SETTINGS } from "../server/config/settings.ts";
import { type Command, parseCommand, UsageError } from "./command.ts";
import { LOAD_OPTIONS, loadOptions, SAMPLING_OPTIONS, samplingOptions } from "./sampling_options.ts";
import { threadsWarning } from "./threads_option.ts";

const command: Command = {
  name: "example",
  summary: "",
  usage: "",
  positionals: { min: 0, max: 0 },
  options: [...SAMPLING_OPTIONS, ...LOAD_OPTIONS],
  run: () => Promise.resolve(0),
};

const NAMES = {
  temperature: "temperature",
  "top-k": "topK",
  "top-p": "topP",
  "min-p": "minP",
  "repeat-penalty": "repeatPenalty",
  "presence-penalty": "presencePenalty",
  "frequency-penalty": "frequencyPenalty",
} as const;

Deno.test("sampling options have the library's bounds", () => {
  for (const [flag, name] of Object.entries(NAMES)) {
    const { min, max } = SAMPLING[name].kind;
    const read = (value: number) => samplingOptions(parseCommand(command, [`--${flag}`, `${value}`]));
    for (const value of [min, max]) assertEquals(resolveSampling(read(value), 100)[name], value);
    for (const value of [min - 1, max + 1]) {
      assertThrows(() => read(value), UsageError, `from ${min} to ${max}, current value is ${value}`);
      assertThrows(() => resolveSampling({ [name]: value }, 100), RangeError, `from ${min} to ${max}`);
    }
  }
  const maxTokens = GENERATION.maxTokens.kind;
  const tokens = (value: number) => samplingOptions(parseCommand(command, ["-n", `${value}`])).maxTokens;
  assertEquals(tokens(maxTokens.max), maxTokens.max);
  assertEquals(tokens(maxTokens.min), maxTokens.min);
  assertThrows(() => tokens(-1), UsageError, `from ${maxTokens.min} to ${maxTokens.max}`);
});

Deno.test("the server's fields have bounds within the library's", () => {
  for (const name of Object.values(NAMES)) {
    const key = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const { minValue, maxValue } = (GENERATION_FIELDS as unknown as Record<string, z.ZodNumber>)[key];
    const { min, max } = SAMPLING[name].kind;
    // As OpenAI has it.
    assertEquals([name, maxValue], [name, name === "temperature" ? 2 : max]);
    if (name !== "topK") assertEquals([name, minValue], [name, min]);
  }
});

Deno.test("load options have the same bounds on the command line and in the server's settings", () => {
  const read = (...argv: string[]) => loadOptions(parseCommand(command, argv));
  const threads = LOAD.threads.kind, contextLength = LOAD.contextLength.kind;
  assertEquals(read("--context", `${contextLength.min}`).contextLength, contextLength.min);
  assertThrows(
    () => read("--threads", "1000"),
    UsageError,
    `--threads takes a whole number from 1 to ${threads.max}, current value is 1000`,
  );
  assertEquals([SETTINGS.threads.kind, SETTINGS.context.kind], [threads, contextLength]);
});

Deno.test("every option that may be set on the command line arrives where the library looks for it", () => {
  for (const [table, read] of [[LOAD, loadOptions], [GENERATION, samplingOptions]] as const) {
    for (const { name, within, kind, flag, ...option } of settableBy("terminal", table)) {
      const word = `--${flagOf(settingName({ name, kind, flag, ...option }))}`;
      const isNumber = kind.type === "number" || kind.type === "integer";
      const text = isNumber ? `${kind.min}` : kind.type === "string" ? `${kind.values?.at(-1)}` : "0";
      const given = read(parseCommand(command, kind.type === "boolean" ? [word] : [word, text]));
      const options = given as unknown as Record<string, unknown>;
      const value = within === undefined ? options[name] : (options[within] as Record<string, unknown>)[name];
      const wanted = kind.type === "boolean" ? true : isNumber ? kind.min : flag?.read?.(text) ?? text;
      assertEquals([name, value], [name, wanted]);
    }
  }
});

Deno.test("threadsWarning() names the threads and the CPUs where there are more threads", () => {
  assertEquals([threadsWarning(undefined, 2), threadsWarning(1, 2), threadsWarning(2, 2)], [
    null,
    null,
    null,
  ]);
  assertEquals(threadsWarning(3, 2), "3 threads have 2 CPUs to run on: that is slower than 2 threads");
  assertEquals(threadsWarning(2, 1), "2 threads have 1 CPU to run on: that is slower than 1 thread");
});
