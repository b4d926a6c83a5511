/** Traffic without the prompts that are too long for a machine. @module */

/** Prompts of a class above so many tokens are left out: `share` of all requests. */
export interface PromptBound {
  readonly class: string;
  readonly tokens: number;
  readonly share: number;
}

/** A request, as far as limits go. */
export interface LimitedRequest {
  readonly class: string;
  readonly promptTokens: number;
}

/** The part of the requests that limits leave. */
export function keptShare(limits: readonly Pick<PromptBound, "share">[]): number {
  return 1 - limits.reduce((sum, { share }) => sum + share, 0);
}

/** Whether no limit leaves the request out. */
export function isWithin(
  { class: name, promptTokens }: LimitedRequest,
  limits: readonly Pick<PromptBound, "class" | "tokens">[],
): boolean {
  return limits.every((limit) => limit.class !== name || promptTokens <= limit.tokens);
}
