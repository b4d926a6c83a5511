import { assert, assertEquals } from "@std/assert";
import { sampleReport } from "../../tests/support/trial_report.ts";
import { routingOf } from "./routes.ts";

const FEW = { requestsMax: 200 };

Deno.test("routingOf() says from the measured speeds of both when requests belong to the other endpoint", () => {
  const report = sampleReport();
  const { model, speed } = report.alternatives[0];
  const routing = routingOf(report, FEW)!;
  assertEquals([routing.model, routing.speed, routing.price], [model, speed!, null]);
  assertEquals(routing.plans.map(({ load }) => load), [1, 2]);
  for (const { costPerHour, savedPerHour, classes } of routing.plans) {
    assertEquals([costPerHour, savedPerHour], [null, null], "there is no price");
    assertEquals(classes.length, 2);
  }
  // Twice the traffic is more than the machine carries alone: some of it goes there.
  assert(routing.plans[1].way !== "here" && routing.plans[1].awayShare > 0);
});

Deno.test("routingOf() says nothing where one of the sides was not measured", () => {
  const report = sampleReport();
  const [other] = report.alternatives;
  assertEquals(routingOf({ ...report, alternatives: [] }, FEW), null);
  assertEquals(routingOf({ ...report, alternatives: [{ ...other, speed: null }] }, FEW), null);
  assertEquals(routingOf({ ...report, stepModel: null }, FEW), null);
});
