import { assert, assertEquals, assertThrows } from "@std/assert";
import { ApiError } from "../api_error.ts";
import { Account } from "./account.ts";
import { Accounts } from "./accounts.ts";
import { checkRuleNames } from "./rules.ts";

const refusal = (account: Account, now: number) => assertThrows(() => account.enter(now), ApiError);

Deno.test("Account.enter() refuses over a limit of requests, and says when there is room again", () => {
  const account = new Account("shop", { name: "shop", requestsPerMinute: 3, requestsPerDay: 5 });
  for (const at of [500, 10_500, 20_500]) account.enter(at);
  const error = refusal(account, 30_000);
  assertEquals([error.status, error.code], [429, "rate_limit_exceeded"]);
  // What came at 0.5 s is forgotten with all of its second.
  assertEquals(error.headers["retry-after"], "31");
  assertEquals(
    error.message,
    'The key "shop" may use 3 requests in any minute, and has: try again in 31 s',
  );
  refusal(account, 60_999);
  account.enter(61_000);
  account.enter(200_000);
  const day = refusal(account, 300_000);
  assert(day.message.includes("5 requests in any 24 hours"), day.message);
  const waitMs = Number(day.headers["retry-after"]) * 1000;
  refusal(account, 300_000 + waitMs - 2000);
  account.enter(300_000 + waitMs);
});

Deno.test("Account.enter() refuses once the tokens of a time are used, whoever brought it beyond them", () => {
  const account = new Account("shop", { name: "shop", tokensPerMinute: 100 });
  account.enter(0);
  account.noteTokens(90, 0);
  account.enter(1000);
  account.noteTokens(50, 30_000);
  const { headers, message } = refusal(account, 40_000);
  assert(message.includes("100 tokens in any minute"), message);
  assertEquals(headers, {
    "x-ratelimit-limit-tokens": "100",
    "x-ratelimit-remaining-tokens": "0",
    "x-ratelimit-reset-tokens": "51s",
    "retry-after": "21",
  });
  account.enter(61_000);
});

Deno.test("Account.headers() tells of the limit of which least is left", () => {
  const account = new Account("shop", { name: "shop", requestsPerMinute: 10, requestsPerDay: 12 });
  for (let i = 0; i < 6; i++) account.enter(i * 70_000);
  assertEquals(account.headers(351_000), {
    "x-ratelimit-limit-requests": "12",
    "x-ratelimit-remaining-requests": "6",
    "x-ratelimit-reset-requests": "87489s",
  });
  assertEquals(account.figures(351_000).map(({ limit, used, most }) => [limit, used, most]), [
    ["requestsPerMinute", 1, 10],
    ["requestsPerDay", 6, 12],
  ]);
  assertEquals(new Account("free", { name: "free" }).headers(0), {});
});

Deno.test("Account checks models, classes and who is an administrator", () => {
  const account = new Account("shop", { name: "shop", models: ["small"], classes: ["batch", "interactive"] });
  account.checkModel(["other", "small"]);
  account.checkClass("interactive");
  const of = (run: () => void) => {
    const { status, code, param, message } = assertThrows(run, ApiError);
    assertEquals(status, 403);
    return [code, param, message];
  };
  assertEquals(of(() => account.checkModel(["large"])), [
    "model_not_allowed",
    "model",
    'The key "shop" may not use this model; it may use "small"',
  ]);
  assertEquals(of(() => account.checkClass("urgent")).slice(0, 2), ["class_not_allowed", "class"]);
  assertEquals(of(() => account.checkAdmin())[0], "admin_only");
  new Account("root", { name: "root", admin: true }).checkAdmin();
  const free = new Account("free", { name: "free" });
  free.checkModel(["large"]);
  free.checkClass("urgent");
});

Deno.test("Accounts.replace() changes keys and rules, and forgets nothing that was counted", () => {
  const keys = [{ key: "key-of-shop-1", name: "shop" }, "key-without-name"];
  const known = { classes: ["batch"], hasModel: (name: string) => name === "m", mayGrow: false };
  assertEquals(checkRuleNames([{ name: "*", models: ["n"] }], { ...known, mayGrow: true }), [
    'keys, "*": there is no model "n" yet',
  ]);
  const accounts = new Accounts({
    apiKeys: keys,
    keys: [{ name: "shop", requestsPerMinute: 1 }, { name: "*", tokensPerDay: 5 }],
  }, known);
  const tenantOf = (key: string) => accounts.tenant(new Headers({ "x-api-key": key }));
  const shop = accounts.of(tenantOf("key-of-shop-1"))!;
  const other = accounts.of(tenantOf("key-without-name"))!;
  assertEquals([shop.name, shop.rules.requestsPerMinute, other.rules.tokensPerDay], ["shop", 1, 5]);
  assert(/^key-[0-9a-f]{8}$/.test(other.name));
  shop.enter(0);
  accounts.replace({
    apiKeys: [{ key: "key-of-shop-2", name: "shop" }],
    keys: [{ name: "shop", requestsPerMinute: 2 }],
  });
  assertThrows(() => tenantOf("key-of-shop-1"), ApiError, "not known");
  assertEquals(accounts.of(tenantOf("key-of-shop-2")), shop);
  shop.enter(1);
  refusal(shop, 2);
  const before = tenantOf("key-of-shop-2");
  for (
    const [wrong, message] of [
      [{ apiKeys: ["short"], keys: [] }, "API key 1"],
      [{ apiKeys: [], keys: [] }, "open to all"],
      [{ apiKeys: ["key-of-shop-3"], keys: [{ name: "shop" }] }, 'no API key is called "shop"'],
      [{ apiKeys: keys, keys: [{ name: "*" }, { name: "*" }] }, "twice"],
      [{ apiKeys: [...keys, "key-of-shop-1"], keys: [] }, "API key 3 is API key 1 again"],
      [
        { apiKeys: keys, keys: [{ name: "*", classes: ["bach"] }] },
        'keys, "*": there is no class "bach"; there is batch',
      ],
      [{ apiKeys: keys, keys: [{ name: "*", models: ["m", "n"] }] }, 'keys, "*": there is no model "n"'],
    ] as const
  ) {
    assertThrows(() => accounts.replace(wrong), RangeError, message);
    assertEquals(tenantOf("key-of-shop-2"), before);
    assertEquals(shop.rules.requestsPerMinute, 2);
  }
  // What is not given stays.
  accounts.replace({ keys: [] });
  assertEquals([tenantOf("key-of-shop-2"), shop.rules.requestsPerMinute], [before, undefined]);
  assertEquals([accounts.knows(before), accounts.knows("gone"), new Accounts().isOpen], [true, false, true]);
});
