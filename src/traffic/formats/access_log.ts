import { isClassName, isTokenCount } from "../traffic.ts";
import { type LineReader, parseObject, type ReadLine, skip } from "../line_reader.ts";
import { parseLogTime } from "../times.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Names under which logs have the time at which a request came. */
const STARTS = ["startTime", "start_time", "start_time_local", "request_time_iso", "arrival", "started_at"];
/** Names under which they have the time of the line, which is written when the request has ended. */
const TIMES = ["time", "ts", "timestamp", "@timestamp", "time_iso8601", "msec", "time_local", "date"];
/** How long it took: in ms, and in seconds. */
const TOOK_MS = ["e2e_ms", "duration_ms", "latency_ms", "response_time_ms", "elapsed_ms"];
const TOOK_SECONDS = ["request_time", "response_time", "duration", "latency", "elapsed"];
const PROMPTS = ["prompt_tokens", "input_tokens", "promptTokens"];
const ANSWERS = ["completion_tokens", "output_tokens", "answer_tokens", "completionTokens"];
const CACHED = ["cached_tokens", "cache_read_input_tokens"];
const CLASSES = ["class", "latency_class"];

/** Whether a line is of a log that has what is needed: a time and a usage. */
export function isAccessLog(line: string): boolean {
  const fields = parseObject(line);
  if (fields === null) return false;
  return first(fields, [...STARTS, ...TIMES]) !== undefined;
}

/**
 * A log of JSON lines with times and usage in the names that OpenAI's API gives them: of nginx with a JSON
 * `log_format`, of LiteLLM, of kumi's `--access-log`. The usage may stand in `usage`, `response.usage` or in the
 * line itself. Nothing else of a line is read.
 */
export class AccessLogReader implements LineReader {
  readonly isDated = true;
  readonly blockTokens = 512;

  read(line: string): ReadLine {
    const fields = parseObject(line);
    if (fields === null) return skip("no JSON object");
    const atMs = arrivalMs(fields);
    if (Number.isNaN(atMs)) return skip("no time");
    const status = Number(fields.status ?? fields.status_code ?? 200);
    if (status === 429 || status === 503) return { refusedAtMs: atMs };
    if (status >= 400) return skip(`status ${status}`);
    const usage = usageOf(fields);
    const promptTokens = count(first(usage, PROMPTS)), answerTokens = count(first(usage, ANSWERS));
    if (promptTokens === undefined || answerTokens === undefined) return skip("no usage");
    const cachedTokens = count(
      first(usage, CACHED) ?? first(objectIn(usage, "prompt_tokens_details"), CACHED),
    );
    const name = first(fields, CLASSES);
    return {
      atMs,
      ...isClassName(name) ? { class: name } : {},
      promptTokens,
      answerTokens,
      ...cachedTokens === undefined ? {} : { cachedTokens: Math.min(cachedTokens, promptTokens) },
    };
  }
}

/** A line is written when its request ends, unless it says when that began. */
function arrivalMs(fields: Fields): number {
  const started = parseLogTime(first(fields, STARTS));
  if (!Number.isNaN(started)) return started;
  const took = Number(first(fields, TOOK_MS) ?? 1000 * Number(first(fields, TOOK_SECONDS) ?? 0));
  return parseLogTime(first(fields, TIMES)) - (took >= 0 ? took : 0);
}

/** OpenAI's object, wherever a log has put it. */
function usageOf(fields: Fields): Fields {
  const places = [fields, objectIn(fields, "response"), objectIn(fields, "metadata")];
  for (const place of places) {
    const usage = objectIn(place, "usage");
    if (first(usage, PROMPTS) !== undefined) return usage;
  }
  return fields;
}

function objectIn(fields: Fields, name: string): Fields {
  const value = fields[name];
  if (typeof value === "string") return parseObject(value) ?? {};
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Fields : {};
}

function first(fields: Fields, names: readonly string[]): unknown {
  for (const name of names) {
    const value = fields[name];
    if (value !== undefined && value !== null && value !== "" && value !== "-") return value;
  }
  return undefined;
}

/** nginx writes numbers as strings. */
function count(value: unknown): number | undefined {
  const number = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
  return isTokenCount(number) ? number : undefined;
}
