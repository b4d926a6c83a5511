/** `kumi tokenize`: the token ids of a text under a model's vocabulary. @module */

import { openGguf } from "../../gguf/mod.ts";
import { createTokenizer } from "../../tokenizer/mod.ts";
import type { Arguments, Command } from "../command.ts";
import { resolveModelFile } from "../model_option.ts";
import { readStdinText } from "../stdin.ts";
import { printLine } from "../../process/print.ts";

/** Reads the text from the arguments or, without any, from stdin. */
export const tokenize: Command = {
  name: "tokenize",
  summary: "print the token ids of a text",
  usage: 'tokenize [--model FILE] ["text"]',
  positionals: { min: 0, max: Infinity },
  options: [
    {
      name: "model",
      alias: "m",
      value: "PATH|hf:…",
      help: "GGUF file whose vocabulary to use",
      default: "demo",
    },
    { name: "special", help: "add BOS/EOS as the model asks, and read control tokens in the text" },
    { name: "pieces", help: "one token a line with its text" },
    { name: "json", help: "a JSON array of ids, or of {id, text} with --pieces" },
  ],
  run: runTokenize,
};

async function runTokenize(args: Arguments): Promise<number> {
  const path = await resolveModelFile(args.values.get("model")!);
  using file = await openGguf(path);
  const tokenizer = createTokenizer(file.metadata);
  const text = args.positional.length > 0 ? args.positional.join(" ") : await readStdinText();
  const special = args.switches.has("special");
  const ids = tokenizer.encode(text, { addSpecial: special, parseSpecial: special });
  const pieces = args.switches.has("pieces");
  if (args.switches.has("json")) {
    printLine(JSON.stringify(pieces ? ids.map((id) => ({ id, text: tokenizer.tokenText(id) })) : ids));
  } else if (pieces) {
    for (const id of ids) printLine(`${id}\t${JSON.stringify(tokenizer.tokenText(id))}`);
  } else {
    printLine(ids.join(" "));
  }
  return 0;
}
