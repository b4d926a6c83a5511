import { isTokenCount } from "../traffic.ts";
import { type LineReader, type ReadLine, shown, skip } from "../line_reader.ts";
import { parseDate } from "../times.ts";

/** The first line of the traces of 2023 and 2024. */
export const AZURE_HEAD = "TIMESTAMP,ContextTokens,GeneratedTokens";

/**
 * Azure's public traces of LLM inference: `TIMESTAMP,ContextTokens,GeneratedTokens`. Those of 2023 have no
 * time zone, those of 2024 have one. github.com/Azure/AzurePublicDataset.
 */
export class AzureReader implements LineReader {
  readonly isDated = true;
  readonly blockTokens = 512;

  read(line: string): ReadLine {
    const fields = line.split(",");
    if (fields.length !== 3) return skip(`${fields.length} fields instead of 3`);
    const atMs = parseDate(fields[0]);
    if (Number.isNaN(atMs)) return skip(`${shown(fields[0])} is no date`);
    const [promptTokens, answerTokens] = fields.slice(1).map((text) =>
      text.trim() === "" ? NaN : Number(text)
    );
    if (!isTokenCount(promptTokens)) return skip(`${shown(fields[1])} is no count of tokens`);
    if (!isTokenCount(answerTokens)) return skip(`${shown(fields[2])} is no count of tokens`);
    return { atMs, promptTokens, answerTokens };
  }
}
