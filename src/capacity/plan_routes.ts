/** From when on requests belong elsewhere, and what that saves: by simulating both places under the traffic. @module */

import { DEFAULT_CLASSES } from "../../scheduler/mod.ts";
import { isGood } from "../loadtest/summary.ts";
import type { Price, RouteRule, Way } from "../routing/rules.ts";
import { objectivesOf, type PlanInput } from "./plan.ts";
import { type PredictedClass, predictedClasses } from "./prediction.ts";
import type { SimulatedServer } from "./simulate.ts";
import { type RoutedRecord, simulatedRules, simulateRoutes } from "./simulate_routes.ts";

/** Another server, by what was measured of it or what its makers say. */
export interface UpstreamSpeed {
  /** Until the first token of a short prompt, with the network. */
  readonly firstTokenMs: number;
  readonly promptTokensPerSecond: number;
  /** Of one answer. */
  readonly tokensPerSecond: number;
  /** Most requests at a time. Default 32. */
  readonly capacity?: number;
  readonly price: Price;
}

/** What becomes of the traffic with one way of routing. */
export interface RouteChoice {
  /** "here" and "there": no routing. */
  readonly way: Way;
  /** Of "overflow": from when on a first token is too late here, as a share of what its class is to keep. */
  readonly waitShare?: number;
  /** The rules that say so in a configuration. */
  readonly rules: readonly RouteRule[];
  readonly classes: readonly PredictedClass[];
  /** Every class has its share of good answers. */
  readonly isGood: boolean;
  /** Share of the requests that the other server answers. */
  readonly awayShare: number;
  readonly costPerHour: number;
}

/** Ways of routing, and the one to take. */
export interface RoutePlan {
  /** Times the traffic's own rate. */
  readonly load: number;
  readonly choices: readonly RouteChoice[];
  /** The cheapest one that keeps the objectives, or else the one that keeps most. */
  readonly recommended: RouteChoice;
  /** What it costs less in an hour than sending all away; negative: more. */
  readonly savedPerHour: number;
}

const WAIT_SHARES = [0.1, 0.2, 0.4, 0.6, 0.8];
const HOUR_MS = 3_600_000;

/** Compares ways of routing under a load. Pure. Throws a RangeError for a speed that is none. */
export function planRoutes(input: PlanInput, load: number, upstream: UpstreamSpeed): RoutePlan {
  checkSpeed(upstream);
  const choices = [
    choiceOf(input, load, upstream, { way: "here", rules: [] }),
    choiceOf(input, load, upstream, { way: "there", rules: [] }),
    ...WAIT_SHARES.map((waitShare) =>
      choiceOf(input, load, upstream, { way: "overflow", waitShare, rules: rulesOf(input, waitShare) })
    ),
  ];
  const keeping = choices.filter((choice) => choice.isGood);
  const recommended = keeping.length > 0
    ? lowest(keeping, ({ costPerHour }) => costPerHour)
    : lowest(choices, ({ classes }) => -Math.min(...classes.map(({ goodShare }) => goodShare)));
  return { load, choices, recommended, savedPerHour: choices[1].costPerHour - recommended.costPerHour };
}

/** What is too late for each class that has to keep something. */
function rulesOf({ objectives }: PlanInput, share: number): RouteRule[] {
  return [...objectives].flatMap(([name, { ttftMs }]) =>
    ttftMs === undefined ? [] : [{ classes: [name], waitMs: Math.round(share * ttftMs) }]
  );
}

function choiceOf(
  input: PlanInput,
  load: number,
  upstream: UpstreamSpeed,
  { way, waitShare, rules }: Pick<RouteChoice, "way" | "waitShare" | "rules">,
): RouteChoice {
  const { server, share } = input;
  const records = simulateRoutes(input.arrivalsAt(load), {
    here: server,
    there: serverOf(upstream, server),
    rules: simulatedRules({ name: "upstream", price: upstream.price, capacity: upstream.capacity }, {
      way,
      rules,
    }),
    seed: server.seed,
  });
  const classes = predictedClasses(records, (record) => isGood(record, objectivesOf(input, record.class)));
  return {
    way,
    ...waitShare === undefined ? {} : { waitShare },
    rules,
    classes,
    isGood: classes.every(({ goodShare }) => goodShare >= share),
    awayShare: records.filter(({ place }) => place !== "here").length / records.length,
    costPerHour: costPerHour(records),
  };
}

function costPerHour(records: readonly RoutedRecord[]): number {
  const hours = Math.max(1, records.at(-1)!.dueMs - records[0].dueMs) / HOUR_MS;
  return records.reduce((sum, { cost }) => sum + cost, 0) / hours;
}

/** A server whose steps take what a single answer there takes, as long as it is not full. */
function serverOf(
  { firstTokenMs, promptTokensPerSecond, tokensPerSecond }: UpstreamSpeed,
  { classes = DEFAULT_CLASSES }: SimulatedServer,
): SimulatedServer {
  return {
    step: {
      fixedMs: 1000 / tokensPerSecond,
      msPerToken: 1000 / promptTokensPerSecond,
      msPerKvEntry: 0,
      relativeError: 0.05,
      requestMs: firstTokenMs,
      tokenMs: 0,
    },
    workers: 1,
    // Nobody knows what it refuses: its capacity says what it is asked.
    classes,
    batchTokensMax: 8192,
    sequencesMax: 1024,
    kvTokens: 2 ** 22,
    prefixCache: false,
  };
}

function lowest<T>(of: readonly T[], by: (each: T) => number): T {
  return of.reduce((best, each) => by(each) < by(best) ? each : best);
}

function checkSpeed({ firstTokenMs, promptTokensPerSecond, tokensPerSecond }: UpstreamSpeed): void {
  const values = { firstTokenMs: firstTokenMs + 1, promptTokensPerSecond, tokensPerSecond };
  for (const [name, value] of Object.entries(values)) {
    if (!(value > 0 && value < 1e9)) {
      throw new RangeError(`The upstream's ${name} must be above 0, current value is ${value}`);
    }
  }
}
