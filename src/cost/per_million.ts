import type { CostOption, TokenMix } from "./inputs.ts";
import { apiPerRequest, machinePerMonth, SECONDS_PER_MONTH, tokensPerRequest } from "./monthly.ts";

/** Shares of a machine's capacity that a report shows costs at. */
export const UTILISATIONS = [0.1, 0.3, 0.7] as const;

/**
 * Cost of a million tokens, prompt and answer counted alike, of one machine that is used a share `utilisation`
 * of what it can do: F(u) / (u · c · 730 · 3600 · T) · 10⁶. At an API D / T · 10⁶, whatever the utilisation;
 * its fixed part, which no machine shares, is left out.
 */
export function perMillionTokens(option: CostOption, mix: TokenMix, utilisation: number): number {
  const tokens = tokensPerRequest(mix);
  if (option.kind === "api") return apiPerRequest(option, mix) / tokens * 1e6;
  const requests = utilisation * option.capacity.requestsPerSecond * SECONDS_PER_MONTH;
  return machinePerMonth(option, utilisation).total / (requests * tokens) * 1e6;
}
