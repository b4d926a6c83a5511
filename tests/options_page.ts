/**
 * docs/options.md, made of the tables in src/protocol/options.
 *
 * deno task run tests/options_page.ts --write
 * @module
 */

import { OBJECT, TOOL_CHAT } from "../src/client/conversation/options.ts";
import { CHAT, EMBEDDING, GENERATION } from "../src/protocol/options/generation.ts";
import type { Kind, NumberKind } from "../src/protocol/options/kind.ts";
import { KV, LOAD } from "../src/protocol/options/load.ts";
import {
  fieldKind,
  fieldName,
  flagOf,
  type NamedOption,
  type OptionTable,
  type Setter,
  settingName,
} from "../src/protocol/options/option.ts";
import { SAMPLING } from "../src/protocol/options/sampling.ts";
import { ROOT } from "../src/setup/paths.ts";

export const OPTIONS_PAGE = "docs/options.md";

const HEAD = `# Options

This page is written by \`deno task run tests/options_page.ts --write\` from the tables in [src/protocol/options](../src/protocol/options), from which the
library, the command line and the server have their checks and their help texts. The server's own settings (keys, limits, names) stand
[with the server](server.md#settings), fields of other servers in [compatibility](compatibility.md).
`;

const SAMPLING_TEXT =
  "Of `generate` and `chat`. `/v1/chat/completions` asks for log-probabilities as OpenAI's does: `logprobs: true` and\n" +
  "`top_logprobs`.";

/** Beyond this a bound only keeps numbers sane. */
const BOUND_TOLD_MAX = 2 ** 24;

function rangeText({ type, min, max }: NumberKind): string {
  const number = type === "integer" ? "integer" : "number";
  const told = (value: number) => value.toLocaleString("en").replace("-", "−");
  return max >= BOUND_TOLD_MAX
    ? `${number}, at least ${told(min)}`
    : `${number}, ${told(min)} to ${told(max)}`;
}

function valueText(kind: Kind): string {
  switch (kind.type) {
    case "number":
    case "integer":
      return rangeText(kind);
    case "boolean":
      return "true, false";
    case "string":
      return kind.values === undefined ? "text" : kind.values.map((value) => `\`${value}\``).join(", ");
    case "list":
      return kind.what;
    case "choice":
      return kind.of.map(valueText).join(" or ");
    case "record":
      return "numbers by token id";
    case "object":
      return "object";
    case "own":
      return "";
  }
}

/** The value, and that of a request's field where the interface that clients know has other bounds. */
function valueCell(option: NamedOption): string {
  const own = valueText(option.kind), asked = valueText(fieldKind(option));
  const isAsked = option.setBy?.includes("client") && asked !== own;
  return isAsked ? `${own}; in requests ${asked.replace(/^\w+, /, "")}` : own;
}

function defaultCell({ default: value }: NamedOption): string {
  return value === undefined || value === "" ? "" : `\`${value}\``;
}

type Column = readonly [title: string, cell: (option: NamedOption) => string];

const asSetBy = (setter: Setter, cell: (option: NamedOption) => string) => (option: NamedOption) =>
  option.setBy?.includes(setter) ? cell(option) : "";
const flagCell = (option: NamedOption) =>
  option.flag === undefined && option.kind.type !== "boolean"
    ? `\`${settingName(option)}\` in the file`
    : `\`--${flagOf(settingName(option))}\``;

const LIBRARY: readonly Column[] = [
  ["option", ({ name }) => `\`${name}\``],
  ["value", valueCell],
  ["default", defaultCell],
  ["is", ({ doc }) => doc.replaceAll("|", "\\|")],
];
const TERMINAL: Column = ["`chat`, `run`", asSetBy("terminal", flagCell)];
const OPERATOR: Column = ["`serve`", asSetBy("operator", flagCell)];
const CLIENT: Column = ["request", asSetBy("client", (option) => `\`${fieldName(option)}\``)];

function table(options: OptionTable, columns: readonly Column[]): string {
  const rows = Object.entries(options).map(([name, option]) =>
    columns.map(([, cell]) => cell({ ...option, name }))
  );
  const lines = [columns.map(([title]) => title), columns.map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** What of a table is in no other. */
function without(options: OptionTable, ...others: readonly OptionTable[]): OptionTable {
  return Object.fromEntries(
    Object.entries(options).filter(([name]) => !others.some((other) => name in other)),
  );
}

/** The page's text; formatting aligns its tables. */
export function optionsPage(): string {
  const section = (title: string, text: string, options: OptionTable, columns: readonly Column[]) =>
    `## ${title}\n\n${text}\n\n${table(options, [...LIBRARY, ...columns])}\n`;
  return [
    HEAD,
    section("Loading a model", "Of `loadModel(path, options)`.", LOAD, [TERMINAL, OPERATOR]),
    section("The KV cache", "Within `kv`.", KV, [TERMINAL, OPERATOR]),
    section("Sampling", SAMPLING_TEXT, SAMPLING, [TERMINAL, CLIENT]),
    section("Answers", "Of `generate` and `chat`, too.", without(GENERATION, SAMPLING), [TERMINAL, CLIENT]),
    section("Conversations", "Of `chat` alone.", without(CHAT, GENERATION), [CLIENT]),
    section(
      "Objects",
      "Of `generateObject`, which also takes those of conversations but `tools` and `grammar`.",
      without(OBJECT, CHAT),
      [],
    ),
    section(
      "Chats with tools",
      "Of `chat` with tools by name, beside those of conversations but `grammar`.",
      { tools: TOOL_CHAT.tools, ...without(TOOL_CHAT, CHAT) },
      [],
    ),
    section(
      "Embeddings",
      "Of `embed`, which also takes `class`, `deadlineMs`, `tenant`, `priority` and `signal`.",
      without(EMBEDDING, GENERATION),
      [CLIENT],
    ),
  ].join("\n");
}

if (import.meta.main) {
  if (!Deno.args.includes("--write")) console.log(optionsPage());
  else {
    const path = `${ROOT}/${OPTIONS_PAGE}`;
    await Deno.writeTextFile(path, optionsPage());
    await new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", path], cwd: ROOT }).output();
  }
}
