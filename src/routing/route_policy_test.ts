import { assert, assertEquals, assertThrows } from "@std/assert";
import { randomFrom } from "../loadtest/random.ts";
import { type HereOutlook, RoutePolicy, type RouteRequest } from "./route_policy.ts";
import type { RoutingRules, UpstreamRules } from "./rules.ts";

const GPU: UpstreamRules = {
  name: "gpu",
  models: [{ name: "m", there: "org/m" }],
  data: "internal",
  capacity: 4,
};
const CLOUD: UpstreamRules = {
  name: "cloud",
  models: [{ name: "m" }, { name: "large" }],
  data: "public",
  price: { promptPerMillion: 1, answerPerMillion: 10 },
};
const policy = (rules: Partial<RoutingRules> = {}) => new RoutePolicy({ upstreams: [GPU, CLOUD], ...rules });
const request = (of: Partial<RouteRequest> = {}): RouteRequest => ({
  model: "m",
  class: "interactive",
  data: "public",
  promptTokens: 100,
  maxTokens: 100,
  ...of,
});
const here = (of: Partial<HereOutlook> = {}): HereOutlook => ({
  isServed: true,
  ttftMs: 100,
  ttftSloMs: 1000,
  ...of,
});
const told = (decision: { places: readonly string[]; reason: string }) =>
  `${decision.reason}: ${decision.places.join()}`;
const answered = { outcome: "answered", promptTokens: 100, answerTokens: 100 } as const;

Deno.test("decide() stays where it is soon enough, and goes where it is not", () => {
  const at = policy();
  assertEquals(told(at.decide(request(), here(), 0)), "soon: here,gpu,cloud");
  assertEquals(told(at.decide(request(), here({ ttftMs: 900 }), 1)), "late: gpu,cloud,here");
  assertEquals(told(at.decide(request(), here(), 2)), "held: gpu,cloud,here");
  assertEquals(
    told(at.decide(request({ class: "batch" }), here({ ttftSloMs: undefined }), 3)),
    "soon: here,gpu,cloud",
  );
  assertEquals(told(at.decide(request(), here({ refuses: true }), 9000)), "closed: gpu,cloud,here");
  assertEquals(told(policy().decide(request(), here({ isReady: false }), 0)), "closed: gpu,cloud,here");
});

Deno.test("decide() knows by measured first tokens what nobody forecasts", () => {
  const at = policy({ waitMs: 500 });
  const batch = request({ class: "batch" });
  const unknown = here({ ttftMs: undefined, ttftSloMs: undefined });
  assertEquals(at.decide(batch, unknown, 0).reason, "soon");
  for (let i = 0; i < 5; i++) at.noteHere(batch, 2000, 0);
  assertEquals(at.decide(batch, unknown, 0).reason, "late");
});

Deno.test("decide() does not go where first tokens came later", () => {
  const at = policy({ upstreams: [GPU] });
  const passage = at.begin("gpu", request(), 0);
  passage.noteFirstToken(5000);
  passage.end(answered, 5000);
  assertEquals(told(at.decide(request(), here({ ttftMs: 2000 }), 5000)), "slower: here,gpu");
  assertEquals(told(at.decide(request(), here({ ttftMs: 9000 }), 5000)), "late: gpu,here");
});

Deno.test("decide() follows the first rule that fits", () => {
  const at = policy({
    rules: [
      { data: ["internal"], way: "here" },
      { promptTokensMin: 4000, way: "there", upstreams: ["cloud"] },
      { classes: ["batch"], models: ["m"], way: "here" },
      { classes: ["fast"], way: "fastest" },
    ],
  });
  const go = (of: Partial<RouteRequest>, outlook = here()) => told(at.decide(request(of), outlook, 0));
  assertEquals(go({ data: "internal", promptTokens: 5000 }), "rule: here");
  assertEquals(go({ promptTokens: 5000 }), "rule: cloud,here");
  assertEquals(go({ class: "batch" }, here({ refuses: true })), "rule: here");
  assertEquals(go({ class: "fast" }), "faster: gpu,cloud,here");
  assertEquals(go({}), "soon: here,gpu,cloud");
});

Deno.test("decide() sends what is only elsewhere there, and says why it cannot", () => {
  const at = policy();
  const away = here({ isServed: false });
  assertEquals(told(at.decide(request({ model: "large" }), away, 0)), "only-there: cloud");
  assertEquals(told(at.decide(request({ model: "large", data: "internal" }), away, 0)), "data: ");
  assertEquals(told(at.decide(request({ model: "own" }), here(), 0)), "only-here: here");
  for (let i = 0; i < 3; i++) at.begin("cloud", request(), 0).end({ outcome: "failed" }, 0);
  assertEquals(told(at.decide(request({ model: "large" }), away, 0)), "down: ");
  assertEquals(at.waitMs("large", 500), 1500);
  assertEquals(at.waitMs("other", 500), Infinity);
});

Deno.test("decide() prefers what costs less, and the faster one of two that cost the same", () => {
  const twins = [GPU, { ...GPU, name: "gpu2" }, CLOUD];
  const at = policy({ upstreams: twins, way: "there" });
  at.begin("gpu", request(), 0).noteFirstToken(900);
  at.begin("gpu2", request(), 0).noteFirstToken(100);
  assertEquals(told(at.decide(request(), here(), 1000)), "rule: gpu2,gpu,cloud,here");
});

Deno.test("decide() respects capacity, caps and health", () => {
  const at = policy({ upstreams: [GPU, { ...CLOUD, caps: { perHour: 0.0025 } }], way: "there" });
  const places = (of: Partial<RouteRequest> = {}) => told(at.decide(request(of), here(), 0));
  const passages = Array.from({ length: 4 }, () => at.begin("gpu", request(), 0));
  assertEquals(places(), "rule: cloud,here");
  // A hundred tokens of a prompt and a hundred of an answer cost 0.0011.
  const first = at.begin("cloud", request(), 0), second = at.begin("cloud", request(), 0);
  assertEquals(places(), "cap: here");
  assertEquals(first.end({ outcome: "answered", promptTokens: 100, answerTokens: 1 }, 0), 0.00011);
  assertEquals(places(), "rule: cloud,here");
  assertEquals(places({ maxTokens: 1000 }), "cap: here");
  assertEquals(second.end(answered, 0), 0.0011);
  assertEquals(second.end(answered, 0), 0, "counts once");
  passages[0].end(answered, 0);
  assertEquals(places(), "rule: gpu,cloud,here");
  at.noteLook("gpu", false);
  assertEquals(places(), "rule: gpu,cloud,here");
  at.noteLook("gpu", false);
  assertEquals(places(), "rule: cloud,here");
  at.noteLook("gpu", true);
  assertEquals(places(), "rule: gpu,cloud,here");
});

Deno.test("decide() holds all upstreams together to a cap", () => {
  const priced = { ...GPU, price: CLOUD.price };
  const at = policy({ upstreams: [priced, CLOUD], way: "there", caps: { perDay: 0.0012 } });
  at.begin("gpu", request(), 0).end(answered, 0);
  assertEquals(told(at.decide(request(), here(), 0)), "cap: here");
  assertEquals(told(at.decide(request(), here(), 25 * 3_600_000)), "rule: gpu,cloud,here");
});

Deno.test("begin() counts what ran and what it cost", () => {
  const at = policy();
  assertThrows(() => at.begin("gpv", request(), 0), RangeError, 'There is no upstream "gpv"');
  const passage = at.begin("cloud", request(), 0);
  const figures = () => at.figures(0).find(({ name }) => name === "cloud")!;
  assertEquals([figures().running, figures().spent.total], [1, 0]);
  passage.end({ outcome: "dropped", promptTokens: 100, answerTokens: 10 }, 0);
  assertEquals([figures().running, figures().spent.total], [0, 0.0002]);
  assertEquals([at.nameThere("gpu", "m"), at.nameThere("cloud", "m"), at.nameThere("gpu", "x")], [
    "org/m",
    "m",
    undefined,
  ]);
});

Deno.test("50,000 decisions: nothing private leaves, no cap and no capacity is passed, nobody is stranded", () => {
  const random = randomFrom(7);
  const one = <T>(of: readonly T[]) => of[Math.floor(random() * of.length)];
  const caps = { perHour: 0.5, perDay: 3 };
  const at = policy({
    upstreams: [GPU, { ...CLOUD, caps }],
    rules: [{ classes: ["fast"], way: "fastest" }, { classes: ["away"], way: "there" }],
  });
  const running: { place: string; end: (now: number) => void }[] = [];
  const visited = new Set<string>();
  let now = 0, away = 0;
  for (let i = 0; i < 50_000; i++) {
    now += random() * 2000;
    const asked = request({
      class: one(["interactive", "fast", "away"]),
      data: one(["public", "internal", "private"]),
      promptTokens: Math.floor(random() * 2000),
      maxTokens: 1 + Math.floor(random() * 500),
    });
    const { places, reason } = at.decide(
      asked,
      here({ ttftMs: random() * 2000, refuses: random() < 0.1 }),
      now,
    );
    visited.add(reason);
    assertEquals(places.filter((place) => place === "here").length, 1);
    if (asked.data === "private") assertEquals(places, ["here"]);
    if (asked.data === "internal") assert(!places.includes("cloud"));
    const [place] = places;
    if (place !== "here") {
      away++;
      const passage = at.begin(place, asked, now);
      const answerTokens = Math.floor(random() * asked.maxTokens!);
      const outcome = one(["answered", "answered", "answered", "dropped", "failed"] as const);
      const tokens = { promptTokens: asked.promptTokens, answerTokens };
      running.push({
        place,
        end: (now) => {
          if (random() < 0.9) passage.noteFirstToken(now);
          passage.end({ outcome, ...tokens }, now);
        },
      });
    }
    while (running.length > 0 && random() < 0.5) {
      running.splice(Math.floor(random() * running.length), 1)[0].end(now);
    }
    const [gpu, cloud] = at.figures(now);
    assert(gpu.running <= 4, `${gpu.running} at once`);
    assert(cloud.spent.lastHour <= caps.perHour && cloud.spent.lastDay <= caps.perDay);
  }
  assert(away > 5000, `${away} of 50,000 went away`);
  for (const reason of ["soon", "late", "held", "data", "down", "full", "faster", "rule", "closed"]) {
    assert(visited.has(reason), `${reason} never was a reason`);
  }
});
