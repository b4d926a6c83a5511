import { assessCost, type Measured, type PricesFile, resolvePrices, SECONDS_PER_MONTH } from "../cost/mod.ts";
import { isWithin, keptShare } from "../traffic/prompt_limit.ts";
import { mean } from "./statistics.ts";
import type { TrialCost, TrialReport } from "./report_data.ts";

/** What the cost model is told by a trial. */
export type PricedTrial = Pick<TrialReport, "traffic" | "chosen" | "energy">;

/**
 * Reckons what the traffic of a trial costs at these prices. `pricesFile` is the file's name, for the report.
 * Null where neither the traffic, nor the file, nor what the machine can do gives a number of requests.
 */
export function trialCost(report: PricedTrial, prices: PricesFile, pricesFile: string): TrialCost | null {
  const inputs = resolvePrices(prices, measuredBy(report));
  if (!(inputs.volume.requestsPerMonth > 0)) return null;
  return {
    currency: prices.currency,
    pricesFile: pricesFile.replace(/.*[/\\]/, ""),
    pricesDate: prices.date,
    inputs,
    outputs: assessCost(inputs),
  };
}

/** Lengths from the traffic, the share of cached tokens and the capacity from the chosen point. */
function measuredBy({ traffic, chosen, energy }: PricedTrial): Measured {
  const { promptTokens, answerTokens } = meanLengths(traffic);
  const all = chosen?.measures.all;
  const cachedShare = all === undefined || all.promptTokens === 0 ? 0 : all.cachedTokens / all.promptTokens;
  const { requestsPerSecond, peakRequestsPerSecond } = traffic;
  return {
    mix: {
      promptTokens,
      cachedTokens: Math.min(1, cachedShare) * promptTokens,
      answerTokens,
    },
    requestsPerSecond: chosen?.highestLoad.requestsPerSecond ?? 0,
    power: powerOf(energy),
    volume: requestsPerSecond === null || requestsPerSecond === 0 ? null : {
      requestsPerMonth: requestsPerSecond * keptShare(traffic.promptLimits) * SECONDS_PER_MONTH,
      peakToMean: Math.max(1, (peakRequestsPerSecond ?? requestsPerSecond) / requestsPerSecond),
      basis: "traffic",
    },
  };
}

/** Of the requests that the machine can carry: all options are priced for the same ones. */
function meanLengths({ classes, sample, promptLimits }: TrialReport["traffic"]) {
  if (promptLimits.length === 0) {
    const of = (what: "promptTokens" | "answerTokens") =>
      classes.reduce((sum, each) => sum + each.share * each[what].mean, 0);
    return { promptTokens: of("promptTokens"), answerTokens: of("answerTokens") };
  }
  const kept = sample.filter(({ cls, prompt }) =>
    isWithin({ class: classes[cls].class, promptTokens: prompt }, promptLimits)
  );
  return {
    promptTokens: mean(kept.map(({ prompt }) => prompt)),
    answerTokens: mean(kept.map(({ answer }) => answer)),
  };
}

/** Where idle power is not known, that under load stands for it: energy is rather too high than too low then. */
function powerOf({ measured, estimated }: TrialReport["energy"]): Measured["power"] {
  if (measured !== null) {
    return {
      idleWatts: measured.idleWatts ?? measured.meanWatts,
      busyWatts: measured.meanWatts,
      basis: "measured",
      isWholeMachine: measured.source === "meter",
    };
  }
  if (estimated === null) return null;
  const { estimatedWatts } = estimated;
  return {
    idleWatts: estimatedWatts,
    busyWatts: estimatedWatts,
    basis: "estimated",
    isWholeMachine: false,
  };
}
