/**
 * Tools with a real model: how many of its calls have arguments that fit, by a check of their own, and how long they take.
 *
 * deno task run bench/tool_calls.ts MODEL.gguf [--prompts 100] [--tokens 160] [--threads 2]
 *
 * Prompts ask in plain words for what one of four tools does. Half of them may be answered without a call ("auto"), half must call
 * one ("required"). Whether the model chose the tool that was meant is told beside, and says something about the model alone.
 * @module
 */

import { parseArgs } from "@std/cli";
import { loadModel } from "../mod.ts";
import { renderTable } from "../src/cli/table.ts";
import { mannerOf, piecesOf } from "../src/client/conversation/pieces.ts";
import { callingOf } from "../src/client/conversation/calling.ts";

const { _: [path], ...args } = parseArgs(Deno.args, {
  string: ["prompts", "tokens", "threads"],
  default: { prompts: "100", tokens: "160", threads: "2" },
});
if (typeof path !== "string") throw new RangeError("Give a model file");

const object = (properties: Record<string, unknown>, required: readonly string[]) => ({
  type: "object",
  properties,
  required,
  additionalProperties: false,
});
const text = { type: "string", maxLength: 40 };

/** A tool, what asks for it, and whether its arguments fit. */
const TOOLS = [
  {
    name: "get_weather",
    description: "The weather of a city",
    parameters: object({ city: text, unit: { enum: ["celsius", "fahrenheit"] } }, ["city", "unit"]),
    ask: (i: number) => `What is the weather in ${CITIES[i % CITIES.length]}, in celsius?`,
    fits: ({ city, unit, ...rest }: Arguments) =>
      isText(city) && ["celsius", "fahrenheit"].includes(unit as string) && isEmpty(rest),
  },
  {
    name: "add",
    description: "Adds two whole numbers",
    parameters: object({ a: { type: "integer" }, b: { type: "integer" } }, ["a", "b"]),
    ask: (i: number) => `Add ${17 + i} and ${25 + 3 * i}.`,
    fits: ({ a, b, ...rest }: Arguments) => Number.isInteger(a) && Number.isInteger(b) && isEmpty(rest),
  },
  {
    name: "send_mail",
    description: "Sends a mail",
    parameters: object({
      to: { type: "string", format: "email", maxLength: 40 },
      subject: text,
      urgent: { type: "boolean" },
    }, ["to", "subject"]),
    ask: (i: number) => `Send a mail to user${i}@example.org with the subject "Lunch at ${1 + i % 12}".`,
    fits: ({ to, subject, urgent, ...rest }: Arguments) =>
      isText(to) && /^[^@\s]+@[^@\s]+$/.test(to) && isText(subject) &&
      (urgent === undefined || typeof urgent === "boolean") && isEmpty(rest),
  },
  {
    name: "set_alarm",
    description: "Sets an alarm",
    parameters: object({
      time: { type: "string", pattern: "^([01][0-9]|2[0-3]):[0-5][0-9]$" },
      days: {
        type: "array",
        items: { enum: ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] },
        maxItems: 7,
      },
    }, ["time"]),
    ask: (i: number) => `Wake me at ${6 + i % 4}:30 on monday and friday.`,
    fits: ({ time, days, ...rest }: Arguments) =>
      isText(time) && /^([01]\d|2[0-3]):[0-5]\d$/.test(time) && isEmpty(rest) &&
      (days === undefined ||
        Array.isArray(days) && days.length <= 7 && days.every((day) => DAYS.includes(day))),
  },
];
type Arguments = Readonly<Record<string, unknown>>;
const CITIES = ["Kyoto", "Paris", "Lima", "Oslo", "Nairobi"];
const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const isText = (value: unknown): value is string => typeof value === "string" && [...value].length <= 40;
const isEmpty = (rest: object) => Object.keys(rest).length === 0;

await using model = await loadModel(path, { threads: Number(args.threads), contextLength: 2048 });
const declared = TOOLS.map(({ name, description, parameters }) =>
  ({ type: "function", function: { name, description, parameters } }) as const
);
const manner = mannerOf(model.info, declared);
const counts = { answers: 0, calls: 0, fitting: 0, meant: 0, cut: 0, withoutCall: 0 };
const started = performance.now();

async function ask(i: number): Promise<void> {
  const tool = TOOLS[i % TOOLS.length];
  const choice = i % 8 < 4 ? "auto" : "required";
  const { shape, options } = callingOf({ tools: declared, choice, parallel: true }, model.info.toolCalls);
  const result = await model.chat([{ role: "user", content: tool.ask(i) }], {
    ...shape,
    ...options,
    splitReasoning: false,
    seed: i,
    maxTokens: Number(args.tokens),
  }).result;
  counts.answers++;
  const calls = piecesOf(result, manner).flatMap((piece) => piece.kind === "call" ? [piece] : []);
  if (calls.length === 0) counts.withoutCall++;
  for (const [place, call] of calls.entries()) {
    const isCut = result.finishReason !== "stop" && place === calls.length - 1;
    if (isCut) {
      counts.cut++;
      continue;
    }
    counts.calls++;
    if (TOOLS.find(({ name }) => name === call.name)?.fits(JSON.parse(call.arguments))) counts.fitting++;
    else console.error(`does not fit: ${call.name} ${call.arguments}`);
    if (call.name === tool.name) counts.meant++;
  }
}

let next = 0;
const lane = async () => {
  while (next < Number(args.prompts)) await ask(next++);
};
await Promise.all(Array.from({ length: 8 }, lane));
console.log(renderTable(
  ["answers", "without a call", "whole calls", "fit", "of the tool that was meant", "cut by the limit", "s"],
  [[
    `${counts.answers}`,
    `${counts.withoutCall}`,
    `${counts.calls}`,
    `${counts.fitting}`,
    `${counts.meant}`,
    `${counts.cut}`,
    ((performance.now() - started) / 1000).toFixed(1),
  ]],
));
