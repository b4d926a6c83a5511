import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ApiError } from "../api_error.ts";
import { Accounts } from "./accounts.ts";
import { Usage } from "./usage.ts";
import { keepUsage } from "./usage_file.ts";

const KEY = "key-of-shop-1";

function start(path: string) {
  const accounts = new Accounts({
    apiKeys: [{ key: KEY, name: "shop" }],
    keys: [{ name: "shop", requestsPerDay: 2, tokensPerDay: 100 }],
  });
  const usage = new Usage(accounts);
  const file = keepUsage(usage, path);
  const tenant = accounts.tenant(new Headers({ "x-api-key": KEY }));
  const shop = accounts.of(tenant)!;
  return { usage, file, shop, tenant };
}

Deno.test("keepUsage() goes on with the days and the limits of the server before", () => {
  const folder = Deno.makeTempDirSync({ prefix: "kumi-test-" });
  try {
    const path = `${folder}/usage.json`;
    const before = start(path);
    before.shop.enter(performance.timeOrigin + performance.now());
    before.usage.accepted({ id: "aa", class: "batch", promptTokens: 40, tenant: before.tenant });
    const end = {
      reason: "stop",
      status: 200,
      promptTokens: 40,
      cachedTokens: 1,
      completionTokens: 2,
      e2eMs: 1,
    };
    before.usage.finished("aa", end);
    before.file.close();
    const after = start(path);
    const now = performance.timeOrigin + performance.now();
    assertEquals(after.usage.csv(), before.usage.csv());
    assertEquals(after.usage.totals, [], "counters of metrics begin with their process");
    assertEquals(after.shop.figures(now).map(({ limit, used }) => [limit, used]), [
      ["requestsPerDay", 1],
      ["tokensPerDay", 42],
    ]);
    assertThrows(() => start(path), Error, "usage.json is in use by another server");
    after.shop.enter(now);
    assertThrows(() => after.shop.enter(now), ApiError, "2 requests");
    // The same day goes on in one line.
    after.usage.accepted({ id: "bb", class: "batch", promptTokens: 1, tenant: after.tenant });
    assertEquals(after.usage.rows.map(({ requests }) => requests), [2]);
    after.file.close();
    const last = start(path);
    assertEquals(last.usage.rows[0].requests, 2);
    last.file.close();
    assertThrows(() => start(folder), Error, `cannot keep what keys have used in ${folder}: it is a folder`);
    const nowhere = `${folder}/none/usage.json`;
    assertThrows(() => start(nowhere), Error, `in ${nowhere}: there is no such file or folder`);
    for (const wrong of ["", "{", "{}", '{"kumi_usage":1,"rows":[{"date":"x"}],"windows":{}}', "[1]"]) {
      Deno.writeTextFileSync(path, wrong);
      const { message } = assertThrows(() => start(path), Error);
      assertStringIncludes(message, "does not have what keys have used: remove it");
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
