import { isClassName, isTokenCount } from "../traffic.ts";
import { type LineReader, type ReadLine, shown, skip } from "../line_reader.ts";
import { parseLogTime } from "../times.ts";

/** What a column holds. */
type Column = "ms" | "seconds" | "time" | "class" | "prompt" | "answer" | "cached";

/** Names of columns, in small letters and without what is no letter or digit. */
const NAMES: Readonly<Record<Column, readonly string[]>> = {
  ms: ["atms", "arrivalms", "timems", "timestampms", "offsetms"],
  seconds: ["ats", "arrivals", "seconds", "arrivalseconds", "offsets", "arrivedat"],
  time: ["time", "timestamp", "date", "datetime", "arrivaltime", "starttime", "arrival"],
  class: ["class", "latencyclass"],
  prompt: [
    ...["prompttokens", "inputtokens", "contexttokens", "inputlength", "promptlength", "requesttokens"],
    ...["promptlen", "inputlen", "input", "prompt", "in"],
  ],
  answer: [
    ...["answertokens", "completiontokens", "outputtokens", "generatedtokens", "maxtokens", "responsetokens"],
    ...["outputlength", "outputlen", "output", "answer", "out"],
  ],
  cached: ["cachedtokens", "cached"],
};

/** The columns of a first line, each with its place; null where it does not name what is needed. */
export function csvColumns(head: string): ReadonlyMap<Column, number> | null {
  const columns = new Map<Column, number>();
  splitCsv(head).forEach((text, place) => {
    const name = text.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
    const column = (Object.keys(NAMES) as Column[]).find((each) => NAMES[each].includes(name));
    if (column !== undefined && !columns.has(column)) columns.set(column, place);
  });
  const hasTime = columns.has("ms") || columns.has("seconds") || columns.has("time");
  return hasTime && columns.has("prompt") && columns.has("answer") ? columns : null;
}

/** CSV whose first line names a time, the tokens of prompts and those of answers; other columns are not read. */
export class CsvReader implements LineReader {
  readonly blockTokens = 512;
  readonly #columns: ReadonlyMap<Column, number>;

  constructor(columns: ReadonlyMap<Column, number>) {
    this.#columns = columns;
  }

  get isDated(): boolean {
    return !this.#columns.has("ms") && !this.#columns.has("seconds");
  }

  read(line: string): ReadLine {
    const fields = splitCsv(line);
    const textOf = (column: Column) => fields[this.#columns.get(column) ?? -1]?.trim() ?? "";
    const numberOf = (column: Column) => textOf(column) === "" ? NaN : Number(textOf(column));
    const atMs = this.#columns.has("ms")
      ? numberOf("ms")
      : this.#columns.has("seconds")
      ? 1000 * numberOf("seconds")
      : parseLogTime(textOf("time"));
    if (!Number.isFinite(atMs)) return skip("no time");
    const promptTokens = numberOf("prompt"), answerTokens = numberOf("answer");
    if (!isTokenCount(promptTokens)) return skip(`${shown(textOf("prompt"))} is no count of tokens`);
    if (!isTokenCount(answerTokens)) return skip(`${shown(textOf("answer"))} is no count of tokens`);
    const name = textOf("class"), cachedTokens = numberOf("cached");
    if (this.#columns.has("class") && !isClassName(name)) return skip(`${shown(name)} is no name of a class`);
    return {
      atMs,
      ...isClassName(name) ? { class: name } : {},
      promptTokens,
      answerTokens,
      ...isTokenCount(cachedTokens) ? { cachedTokens: Math.min(cachedTokens, promptTokens) } : {},
    };
  }
}

/** The fields of a line; quotes hold commas together. */
export function splitCsv(line: string): string[] {
  const fields: string[] = [];
  let field = "", isQuoted = false;
  for (let i = 0; i < line.length; i++) {
    const letter = line[i];
    if (letter === '"') {
      if (isQuoted && line[i + 1] === '"') field += line[++i];
      else isQuoted = !isQuoted;
    } else if (letter === "," && !isQuoted) {
      fields.push(field);
      field = "";
    } else field += letter;
  }
  return [...fields, field];
}
