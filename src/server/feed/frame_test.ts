import { assertEquals } from "@std/assert";
import { DEFAULT_CLASSES } from "../../../scheduler/mod.ts";
import { RoutePolicy } from "../../routing/route_policy.ts";
import { RequestMetrics } from "../metrics/request_metrics.ts";
import { frameOf } from "./frame.ts";

const STATS = { workers: [], restarts: 0, quarantined: 0, pending: 0 };
const HEALTH = { ready: true, workers: [], restarts: 0 };

Deno.test("frameOf() tells of other servers where there are any: who answers, and what that costs", () => {
  const options = {
    modelName: "m",
    classes: DEFAULT_CLASSES,
    source: () => null,
    requests: new RequestMetrics(DEFAULT_CLASSES),
  };
  assertEquals(frameOf(options, STATS, HEALTH).upstreams, undefined);
  const price = { promptPerMillion: 1e6, answerPerMillion: 0 };
  const of = (name: string) => ({ name, models: [{ name: "m" }], data: "public" as const, price });
  const policy = new RoutePolicy({ upstreams: ["up", "down", "ill"].map(of) });
  const request = { model: "m", class: "interactive", data: "public", promptTokens: 2 } as const;
  policy.begin("up", request, 0).end({ outcome: "answered", promptTokens: 2, answerTokens: 1 }, 0);
  policy.begin("up", request, 0);
  for (let i = 0; i < 3; i++) policy.begin("down", request, 0).end({ outcome: "failed" }, 0);
  for (let i = 0; i < 2; i++) policy.noteLook("ill", false);
  const at = (now: number) =>
    frameOf({ ...options, upstreams: () => policy.figures(now) }, STATS, HEALTH).upstreams!;
  const idle = { running: 0, spentHour: 0, spentDay: 0 };
  assertEquals(at(1), [
    { name: "up", running: 1, state: "up", spentHour: 2, spentDay: 2 },
    { name: "down", ...idle, state: "down" },
    { name: "ill", ...idle, state: "down" },
  ]);
  assertEquals(at(2000)[1].state, "tried");
});
