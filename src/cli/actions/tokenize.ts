/** What `kumi tokenize` does. @module */

import { createTokenizer } from "../../tokenizer/mod.ts";
import type { Arguments } from "../command.ts";
import { resolveModelFile } from "../model_option.ts";
import { readStdinText } from "../stdin.ts";
import { printLine } from "../../process/print.ts";
import { openModel } from "../../safetensors/open_model.ts";

/** Reads the text from the arguments or, without any, from stdin. */
export async function runTokenize(args: Arguments): Promise<number> {
  const path = await resolveModelFile(args.values.get("model")!);
  using file = await openModel(path);
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
