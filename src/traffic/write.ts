import { RECORDING_VERSION, type RecordingHead, type RecordingLine } from "./formats/recording.ts";
import type { Traffic, TrafficRequest } from "./traffic.ts";

/** Traffic as a recording of kumi's: lines with their ends. */
export function* writeTraffic({ startedAtMs, blockTokens, requests }: Traffic): Generator<string> {
  const head: RecordingHead = {
    kumi_traffic: RECORDING_VERSION,
    recording: "imported",
    ...startedAtMs === undefined ? {} : { started: new Date(startedAtMs).toISOString() },
    block_tokens: blockTokens,
  };
  yield `${JSON.stringify(head)}\n`;
  // Dates in the head have whole ms.
  const rest = startedAtMs === undefined ? 0 : startedAtMs - Math.floor(startedAtMs);
  for (const request of requests) yield `${JSON.stringify(lineOf(request, rest))}\n`;
}

function lineOf(request: TrafficRequest, restMs: number): RecordingLine {
  const { atMs, promptTokens, answerTokens, cachedTokens, blocks } = request;
  return {
    at_ms: rounded(atMs + restMs),
    class: request.class,
    prompt_tokens: promptTokens,
    answer_tokens: answerTokens,
    cached_tokens: cachedTokens,
    blocks: blocks?.map((block) => block.toString(36)),
  };
}

/** Ms to a thousandth: more is noise and costs room. */
export function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
