import { assertEquals, assertThrows } from "@std/assert";
import { RoutePolicy } from "../../routing/route_policy.ts";
import { SpendFile } from "./spend_file.ts";

const UPSTREAM = {
  name: "gpu",
  models: [{ name: "m" }],
  data: "public",
  price: { promptPerMillion: 1e6, answerPerMillion: 0 },
} as const;
const REQUEST = { model: "m", class: "interactive", data: "public", promptTokens: 3, maxTokens: 1 } as const;
const MINUTE_MS = 60_000;

function spend(policy: RoutePolicy, cost: number): void {
  const tokens = { promptTokens: cost, answerTokens: 0 };
  policy.begin("gpu", REQUEST, performance.now()).end({ outcome: "answered", ...tokens }, performance.now());
}

const spent = (policy: RoutePolicy) => policy.figures(performance.now())[0].spent;

Deno.test("SpendFile goes on with what was spent before", () => {
  const folder = Deno.makeTempDirSync({ prefix: "kumi-test-" });
  try {
    const path = `${folder}/spent.json`;
    const start = (wallMs: number) => {
      const policy = new RoutePolicy({ upstreams: [UPSTREAM], way: "there", caps: { perDay: 10 } });
      return { policy, file: new SpendFile(path, policy, () => wallMs) };
    };
    const first = start(0);
    spend(first.policy, 3);
    first.file.close();
    const second = start(70 * MINUTE_MS);
    assertEquals([spent(second.policy).lastHour, spent(second.policy).lastDay], [0, 3]);
    spend(second.policy, 5);
    assertEquals(second.policy.takes("gpu", REQUEST, performance.now()), false, "3 more would be too much");
    second.file.close();
    const third = start(100 * MINUTE_MS);
    assertEquals([spent(third.policy).lastHour, spent(third.policy).lastDay], [5, 8]);
    third.file.close();
    const later = start(25 * 60 * MINUTE_MS);
    assertEquals(spent(later.policy).lastDay, 5);
    later.file.close();
    const setBack = start(0);
    assertEquals(spent(setBack.policy).lastHour, 5);
    assertThrows(() => start(0), Error, "spent.json is in use by another server");
    setBack.file.close();
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("SpendFile refuses a file of which nobody knows what was spent", () => {
  const folder = Deno.makeTempDirSync({ prefix: "kumi-test-" });
  try {
    const path = `${folder}/spent.json`;
    const texts = [
      "",
      "{",
      "[]",
      "{}",
      '{"kumi_spending":1}',
      '{"kumi_spending":1,"spent":{"gpu":[[1,-1]]}}',
    ];
    const nowhere = `${folder}/none/x`;
    assertThrows(
      () => new SpendFile(nowhere, new RoutePolicy({ upstreams: [UPSTREAM] })),
      Error,
      `cannot keep what upstreams have cost in ${nowhere}: there is no such file or folder`,
    );
    for (
      const text of [
        ...texts,
        '{"kumi_spending":1,"spent":{"gpu":[["a",1]]}}',
        '{"kumi_spending":2,"spent":{}}',
      ]
    ) {
      Deno.writeTextFileSync(path, text);
      const policy = new RoutePolicy({ upstreams: [UPSTREAM] });
      assertThrows(() => new SpendFile(path, policy), Error, "remove it to begin at 0", text);
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
