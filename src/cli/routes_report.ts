/** Ways of routing, as `kumi plan --upstream` reads and prints them. @module */

import type { RouteChoice, RoutePlan, UpstreamSpeed } from "../capacity/plan_routes.ts";
import { integer, number, object } from "../protocol/options/kind.ts";
import { checkSettings } from "../server/config/check.ts";
import type { TrialRouting } from "../trial/report_data.ts";
import { oneLine } from "../process/harmless.ts";
import { UsageError } from "./command.ts";
import { renderTable } from "./table.ts";
import { formatFigure } from "./units.ts";

const rate = number(0.001, 1e9), price = number(0, 1e9);

const FIELDS = {
  firstTokenMs: { kind: number(0, 1e6), required: true },
  promptTokensPerSecond: { kind: rate, required: true },
  tokensPerSecond: { kind: rate, required: true },
  capacity: { kind: integer(1, 65_536) },
  price: {
    kind: object({
      promptPerMillion: { kind: price, required: true },
      answerPerMillion: { kind: price, required: true },
    }),
    required: true,
  },
} as const;

/** The speed and price of an upstream, of a file. Throws a UsageError. */
export function readUpstream(text: string, path: string): UpstreamSpeed {
  try {
    return checkSettings(FIELDS, JSON.parse(text)) as unknown as UpstreamSpeed;
  } catch (error) {
    throw new UsageError(`${path}: ${(error as Error).message}`);
  }
}

/** A load, what each way would make of it, and which to take. */
export function renderRoutes({ load, choices, recommended, savedPerHour }: RoutePlan): string {
  const ms = (value: number | null) => value === null ? "-" : formatFigure(value);
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const rows = choices.flatMap((choice) =>
    choice.classes.map((each, i) => [
      ...i > 0 ? ["", "", ""] : [nameOf(choice), percent(choice.awayShare), formatFigure(choice.costPerHour)],
      each.class,
      ms(each.ttftMs.p50),
      ms(each.ttftMs.p99),
      percent(each.goodShare),
    ])
  );
  const table = renderTable(["way", "away", "cost/h", "class", "TTFT p50", "p99 ms", "good"], rows);
  const keeps = recommended.isGood ? "keeps the objectives" : "keeps most, though not all of the objectives";
  const compared = savedPerHour >= 0
    ? `${formatFigure(savedPerHour)} an hour less than sending all away`
    : `${formatFigure(-savedPerHour)} an hour more than sending all away`;
  return `at ${load}×\n\n${table}\n\nrecommended: ${
    nameOf(recommended)
  }, which ${keeps} and costs ${compared}\n${JSON.stringify(routingConfig(recommended))}`;
}

/** As `kumi serve --config` reads it. */
function routingConfig({ way, rules }: Pick<RouteChoice, "way" | "rules">) {
  return { routing: { way, ...rules.length > 0 ? { rules } : {} } };
}

function nameOf({ way, waitShare }: Pick<RouteChoice, "way" | "waitShare">): string {
  return waitShare === undefined ? way : `${way} after ${waitShare} of the objective`;
}

/** What a trial recommends, a line for each load, and the last one's configuration. */
export function renderTrialRouting({ model, plans }: TrialRouting): string {
  const lines = plans.map((plan) => {
    const { load, isGood, awayShare, savedPerHour } = plan;
    const saved = savedPerHour === null
      ? ""
      : `, ${formatFigure(savedPerHour)} an hour less than all of them`;
    const keeps = isGood ? "" : "; not all objectives hold even so";
    return `with ${oneLine(model)} at ${load}× the traffic: ${nameOf(plan)}, ${
      (100 * awayShare).toFixed(1)
    } % of the requests go there${saved}${keeps}`;
  });
  return [...lines, JSON.stringify(routingConfig(plans.at(-1)!))].join("\n");
}
