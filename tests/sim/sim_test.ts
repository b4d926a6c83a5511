import { assert, assertEquals, assertThrows } from "@std/assert";
import { BREAKS } from "./breaks.ts";
import { judgeTraffic } from "./judge.ts";
import { simCommand } from "./main.ts";
import { measureMixed, SLOW_COST } from "./mixed.ts";
import { countRepeats, parsePrefixTrace, replayPrefixes } from "./prefix_replay.ts";
import { Random } from "../../scheduler/testing/random.ts";
import { createScenario } from "./scenario.ts";
import { Simulation } from "./simulation.ts";
import { measureScheduling, measureStep } from "./speed.ts";
import { compareSnapshotRules, parseTurns } from "./state_replay.ts";
import { createTraffic, TRAFFIC_NAMES } from "./traffic.ts";
import { INVARIANTS, Violation } from "./violation.ts";

const SEEDS = 200;
/** A planted bug shows within so many seeds. */
const BREAK_SEEDS = 100;
const TRACE = new URL("../../../shared/data/traces/mooncake_conversation_trace.jsonl", import.meta.url);

Deno.test(`the invariants hold in ${SEEDS} simulated runs, and all that can happen happens in them`, () => {
  const seen: Record<string, number> = {};
  for (let seed = 0; seed < SEEDS; seed++) {
    const { ended, ...report } = new Simulation(createScenario(seed)).run();
    for (const [name, value] of Object.entries({ ...report, ...ended })) {
      seen[name] = (seen[name] ?? 0) + value;
    }
  }
  for (const [name, times] of Object.entries(seen)) assert(times > 0, `nothing of this happened: ${name}`);
});

Deno.test("a seed gives the same run again", () => {
  for (const seed of [3, 14, 15]) {
    assertEquals(new Simulation(createScenario(seed)).run(), new Simulation(createScenario(seed)).run());
  }
});

for (const [name, planted] of Object.entries(BREAKS)) {
  Deno.test(`the simulation catches the planted bug ${name}`, () => {
    for (let seed = 0; seed < BREAK_SEEDS; seed++) {
      try {
        new Simulation(createScenario(seed), planted).run();
      } catch (error) {
        if (!(error instanceof Violation)) throw error;
        if (error.invariant === planted.invariant) return;
      }
    }
    throw new Error(`${planted.invariant} has not caught it in ${BREAK_SEEDS} seeds`);
  });
}

Deno.test("every invariant has a planted bug", () => {
  const caught = new Set(Object.values(BREAKS).map(({ invariant }) => invariant));
  assertEquals([...caught].toSorted(), Object.keys(INVARIANTS).toSorted());
});

/** Conversations that come back with more turns, in the form of a trace. */
function createTrace(seed: number, requests: number): number[][] {
  const random = new Random(seed);
  const conversations: number[][] = [];
  let ids = 0;
  return Array.from({ length: requests }, () => {
    const known = conversations.length > 0 && random.chance(0.6) ? random.pick(conversations) : null;
    const conversation = known ?? [0];
    if (known === null) conversations.push(conversation);
    for (let i = random.int(1, 6); i > 0; i--) conversation.push(++ids);
    return [...conversation];
  });
}

Deno.test("PrefixCache finds as much as LRU and never more than Belady's optimum", () => {
  for (const seed of [1, 2, 3]) {
    const trace = createTrace(seed, 400);
    const longest = Math.max(...trace.map((ids) => ids.length));
    for (const blocks of [longest, 2 * longest, 8 * longest]) {
      const { tree, lru, belady } = replayPrefixes(trace, blocks);
      assert(tree >= 0.99 * lru, `${tree} hits of ${lru} with ${blocks} blocks`);
      assert(Math.max(tree, lru) <= belady && belady <= countRepeats(trace), `${tree} ${lru} ${belady}`);
    }
  }
});

/** Conversations of which each turn repeats all before it, answers included, in the form of a trace. */
function createConversations(seed: number, requests: number): string {
  const random = new Random(seed);
  const conversations: { ids: number[]; tokens: number }[] = [];
  let id = 0;
  return Array.from({ length: requests }, () => {
    const known = conversations.length > 4 ? random.pick(conversations) : { ids: [0, 1, 2], tokens: 3 * 512 };
    const input = known.tokens + random.int(40, 900), output = random.int(100, 900);
    const shared = known.ids.slice(0, Math.floor(known.tokens / 512));
    const ids = Array.from({ length: Math.ceil(input / 512) }, (_, i) => shared[i] ?? 3 + ++id);
    conversations.push({ ids, tokens: input + output });
    return JSON.stringify({ input_length: input, output_length: output, hash_ids: ids });
  }).join("\n");
}

Deno.test("snapshots behind prompts, at forks and in answers each let more be found of conversations", () => {
  const turns = parseTurns(createConversations(1, 120));
  const rules = compareSnapshotRules(turns, { blocks: 200_000, slotBlocks: 100 });
  const found = Array.from(rules, (each) => each.found);
  const [all, ends, forks, , answers] = found;
  assert(ends > 0 && forks > ends && answers > forks && all > answers, found.join(" "));
  assert(answers > 0.8 * all, found.join(" "));
  assertThrows(() => parseTurns('{"hash_ids":[1]}'), RangeError, "Line 1");
});

Deno.test({
  name: "PrefixCache finds at least 99 % of what LRU finds on the Mooncake trace",
  ignore: !hasTrace(),
  fn: () => {
    const trace = parsePrefixTrace(Deno.readTextFileSync(TRACE));
    const { tree, lru, belady } = replayPrefixes(trace, 10_000);
    assert(tree >= 0.99 * lru && tree <= belady, `${tree} hits, LRU ${lru}, Belady ${belady}`);
  },
});

function hasTrace(): boolean {
  try {
    return Deno.statSync(TRACE).isFile;
  } catch {
    return false;
  }
}

Deno.test("every request is completed with a tenth of the KV blocks, and little is computed twice", () => {
  const { completed, recomputedShare } = measureScheduling({ requests: 60, memoryShare: 0.1 });
  assertEquals(completed, 60);
  assert(recomputedShare <= 0.3, `${recomputedShare}`);
});

Deno.test("a step is measured with those running that are meant to run", () => {
  for (const isShort of [false, true]) {
    const { planUs, completeUs } = measureStep({ running: 4, waiting: 20, steps: 16, isShort });
    assert(Number.isFinite(planUs + completeUs));
  }
});

Deno.test("in simulated time urgent requests keep their ITL beside bulk work, which keeps most of the machine", () => {
  const minutes = 4;
  const classes = measureMixed({ load: 0.9, bulk: "arriving", minutes });
  const merged = measureMixed({ load: 0.9, bulk: "arriving", isMerged: true, minutes });
  assert(classes.itlP99Ms <= 150 && merged.itlP99Ms > 150, `${classes.itlP99Ms} ${merged.itlP99Ms}`);
  assert(classes.ttftP99Ms < merged.ttftP99Ms, `${classes.ttftP99Ms} ${merged.ttftP99Ms}`);
  const alone = measureMixed({ load: 0.2, bulk: "alone", minutes });
  const beside = measureMixed({ load: 0.2, bulk: "backlog", minutes });
  assert(beside.tokensPerSecond >= 0.85 * alone.tokensPerSecond, `${beside.tokensPerSecond}`);
});

Deno.test("in simulated time prompts go on beside answers whose ITL objective cannot be met", () => {
  const slow = { cost: SLOW_COST, ttftSloMs: 10_000, minutes: 4 };
  const beside = measureMixed({ ...slow, load: 0.2, bulk: "backlog" });
  assertEquals(beside.refusedShare, 0);
  // At most about ten urgent answers at a time: the step takes 180 + 10 · 5.5 ms without prompts, and twice
  // that with.
  assert(beside.ttftP99Ms <= 10_000 && beside.itlP99Ms <= 2 * 235, `${beside.ttftP99Ms} ${beside.itlP99Ms}`);
  const alone = measureMixed({ ...slow, load: 0.2, bulk: "alone" });
  assert(beside.tokensPerSecond >= 0.6 * alone.tokensPerSecond, `${beside.tokensPerSecond}`);
});

Deno.test("a forecast from one regime refuses nobody in another: what the machine bears is taken, and in time", () => {
  const bearable = TRAFFIC_NAMES.map((name) => createTraffic(name, 1)).filter(({ isBearable }) => isBearable);
  assert(bearable.length >= 4);
  for (const traffic of bearable.filter(({ requests }) => requests.length < 400)) {
    const { taken, inTime, refused } = judgeTraffic(traffic, { seed: 1 }, 0);
    assertEquals([inTime, refused], [taken, 0], traffic.name);
  }
});

Deno.test("nearly all refusals and acceptances are right when more comes than the machine bears", () => {
  for (const name of ["one user, then a burst too large", "back and forth"]) {
    const { taken, inTime, judged, late } = judgeTraffic(createTraffic(name, 1), { seed: 1 }, 8);
    assert(inTime >= 0.95 * taken, `${name}: ${inTime} of ${taken} in time`);
    assertEquals([judged, late], [8, 8], name);
  }
});

Deno.test("a violation names its invariant", () => {
  assertThrows(() => new Simulation(createScenario(0), BREAKS["long-steps"]).run(), Violation, "step-bounds");
});

Deno.test("the command runs seeds and planted bugs, and says what it does not know", () => {
  const log = console.log;
  const lines: string[] = [];
  console.log = (line: string) => void lines.push(line);
  try {
    assertEquals(simCommand(["--seed", "7", "--steps", "50"]), 0);
    assertEquals(lines.at(-1), "seed 7: every invariant held after every event");
    assertEquals(simCommand(["--break", "list"]), 0);
    assert(Object.keys(BREAKS).every((name) => lines.some((line) => line.startsWith(name))));
    assertEquals(simCommand(["--break", "long-steps"]), 0);
    assert(lines.at(-1)!.includes("catches it"));
  } finally {
    console.log = log;
  }
  assertThrows(() => simCommand(["--break", "nothing"]), RangeError, "no planted bug is called nothing");
  assertThrows(() => simCommand(["--seeds", "few"]), RangeError, "--seeds must be a number");
  assertThrows(() => simCommand(["--sede", "1"]), RangeError, "unknown option");
});
