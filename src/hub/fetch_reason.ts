/** Why a request got no answer, in the words of the innermost error: `fetch` itself only says that it failed. */
export function fetchReason(error: unknown): string {
  let inner = error;
  while (inner instanceof Error && inner.cause !== undefined) inner = inner.cause;
  const message = inner instanceof Error ? inner.message : String(inner);
  return message.replace(/^error sending request for url \([^)]*\): /, "").replace(
    /^client error \(\w+\): /,
    "",
  );
}

/** What another attempt, a moment later, hardly cures; each with what to call it. */
const HOPELESS: readonly (readonly [pattern: RegExp, name: string])[] = [
  // Not "Temporary failure in name resolution".
  [/dns error.*(?:not known|no such host|no address associated|no record)/i, "there is no such name"],
  [/connection refused|actively refused/i, "connection refused"],
  [/certificate/i, "its certificate is not accepted"],
  [/requests to port \d+ are blocked/i, "this port is never used for HTTP"],
];

/** What a reason that stays is called; null for one that may pass. */
export function hopelessReason(reason: string): string | null {
  return HOPELESS.find(([pattern]) => pattern.test(reason))?.[1] ?? null;
}
