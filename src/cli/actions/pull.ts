/** What `kumi pull` does. @module */

import { namedModel } from "../../hub/named_models.ts";
import { isHubReference } from "../../hub/reference.ts";
import { oneLine } from "../../process/harmless.ts";
import { printLine } from "../../process/print.ts";
import { type Arguments, UsageError } from "../command.ts";
import { resolveModelFile } from "../model_option.ts";

/** Downloads the model and prints where it lies. */
export async function runPull({ positional: [model] }: Arguments): Promise<number> {
  if (namedModel(model) === undefined && !isHubReference(model)) {
    throw new UsageError(
      `${
        JSON.stringify(model)
      } is nothing to download: that is hf:owner/repo/file.gguf, hf:owner/repo, or a name such as smollm2`,
    );
  }
  printLine(oneLine(await resolveModelFile(model)));
  return 0;
}
