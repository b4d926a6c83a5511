/** What a line of the access log says of a request. */
export interface AccessEntry {
  /** The server's own id of it. */
  id: string;
  method: string;
  /** The route's pattern: a path as it came may hold anything. */
  route: string;
  status: number;
  class?: string;
  /** Hash of the tenant, never a key. */
  tenant?: string;
  promptTokens?: number;
  cachedTokens?: number;
  completionTokens?: number;
  ttftMs?: number;
  e2eMs: number;
  /** Finish reason, refusal reason or error code. */
  reason?: string;
}

/** A line of JSON without its end. Says what {@linkcode AccessEntry} has and nothing else: no text of prompts or answers. */
export function accessLine(entry: AccessEntry, time: Date): string {
  return JSON.stringify({
    time: time.toISOString(),
    id: entry.id,
    method: entry.method,
    route: entry.route,
    status: entry.status,
    class: entry.class,
    tenant: entry.tenant,
    prompt_tokens: entry.promptTokens,
    cached_tokens: entry.cachedTokens,
    completion_tokens: entry.completionTokens,
    ttft_ms: rounded(entry.ttftMs),
    e2e_ms: rounded(entry.e2eMs),
    reason: entry.reason,
  });
}

function rounded(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms * 10) / 10;
}
