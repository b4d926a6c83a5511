import { limitsNow } from "../accounts/account.ts";
import type { Usage, UsageCounts } from "../accounts/usage.ts";
import type { MetricsText } from "./exposition.ts";

const COUNTERS: readonly (readonly [name: string, count: keyof UsageCounts, help: string])[] = [
  ["kumi:key_requests_total", "requests", "Requests that were taken, by the key that they came with."],
  ["kumi:key_refused_total", "refused", "Requests that a limit of their key refused."],
  ["kumi:key_prompt_tokens_total", "promptTokens", "Tokens of prompts of requests that have ended."],
  ["kumi:key_cached_prompt_tokens_total", "cachedTokens", "Tokens of those that the prefix cache had."],
  ["kumi:key_generation_tokens_total", "completionTokens", "Tokens of answers."],
];

/**
 * Writes what each key has used, and how near it is to its limits; nothing where no keys are needed. `tenant`: who asks, and is
 * shown no more than it may see.
 */
export function writeUsage(text: MetricsText, usage: Usage | undefined, tenant: string): void {
  if (usage === undefined || usage.accounts.isOpen) return;
  const only = usage.shownTo(tenant);
  const isShown = (key: string) => only === undefined || key === only;
  const totals = usage.totals.filter(({ key }) => isShown(key));
  for (const [name, count, help] of COUNTERS) {
    text.family(name, "counter", help);
    for (const { key, model, class: of, [count]: value } of totals) {
      // Of a request that was refused for its key nobody knows what it asked for.
      if ((of === "") !== (count === "refused")) continue;
      const asked = { ...of === "" ? {} : { class: of }, ...model === "" ? {} : { model_name: model } };
      text.sample(value, { key, ...asked });
    }
  }
  const now = limitsNow();
  text.family("kumi:key_limit_used_ratio", "gauge", "What a key has used of a limit, from 0 to 1 and above.");
  for (const account of usage.accounts.all().filter(({ name }) => isShown(name))) {
    for (const { limit, used, most } of account.figures(now)) {
      text.sample(used / most, { key: account.name, limit: limit.replace("Per", "_per_").toLowerCase() });
    }
  }
}
