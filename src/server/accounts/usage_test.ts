import { assert, assertEquals } from "@std/assert";
import { MetricsText } from "../metrics/exposition.ts";
import { writeUsage } from "../metrics/usage_metrics.ts";
import { limitsNow } from "./account.ts";
import { Accounts } from "./accounts.ts";
import { Usage } from "./usage.ts";

const NOON = Date.UTC(2026, 10, 30, 12), DAY_MS = 86_400_000;
const END = { reason: "stop", status: 200, cachedTokens: 0, e2eMs: 1 };

function parts() {
  const clock = { now: NOON };
  const accounts = new Accounts({
    apiKeys: [{ key: "key-of-shop-1", name: "shop" }, { key: "key-of-desk-1", name: '=a "b",c' }],
    keys: [{ name: "shop", tokensPerMinute: 100 }],
  });
  const tenantOf = (key: string) => accounts.tenant(new Headers({ "x-api-key": key }));
  const usage = new Usage(accounts, { wallNow: () => clock.now });
  return { clock, usage, shop: tenantOf("key-of-shop-1"), desk: tenantOf("key-of-desk-1"), accounts };
}

Deno.test("Usage counts requests, prompts, answers and refusals by key, class, model and day", () => {
  const { usage, shop, desk, clock } = parts();
  // Two answers of one request.
  usage.accepted({ id: "aa-0", class: "batch", promptTokens: 10, tenant: shop });
  usage.tokens("aa-0", 3);
  usage.finished("aa-0", { ...END, promptTokens: 10, completionTokens: 4, cachedTokens: 8 });
  usage.accepted({ id: "aa-1", class: "batch", promptTokens: 10, tenant: shop });
  usage.tokens("aa-1", 1);
  clock.now += DAY_MS;
  usage.finished("aa-1", { ...END, promptTokens: 10, completionTokens: 1 });
  usage.accepted({ id: "bb", class: "batch", promptTokens: 1, tenant: desk, model: "small" });
  usage.finished("bb", { ...END, promptTokens: 1, completionTokens: 0 });
  usage.limited(shop);
  const head = "date,key,model,class,requests,refused,prompt_tokens,cached_tokens,completion_tokens\r\n";
  const first = "2026-11-30,shop,,batch,1,0,20,8,5\r\n", refused = "2026-12-01,shop,,,0,1,0,0,0\r\n";
  assertEquals(
    usage.csv(),
    `${head}${first}2026-12-01,"'=a ""b"",c",small,batch,1,0,1,0,0\r\n${refused}`,
  );
  assertEquals(usage.csv("shop"), head + first + refused);
  clock.now += 91 * DAY_MS;
  usage.limited(shop);
  assertEquals(usage.rows.map(({ date }) => date), ["2026-12-01", "2026-12-01", "2027-03-02"]);
  assertEquals(usage.totals.find(({ key, class: name }) => key === "shop" && name !== "")!.promptTokens, 20);
});

Deno.test("Usage counts tokens for the limits of their key: prompts when they are taken, answers as they come", () => {
  const { usage, shop, accounts } = parts();
  const used = () => accounts.of(shop)!.figures(limitsNow())[0].used;
  usage.accepted({ id: "aa", class: "batch", promptTokens: 10, tenant: shop });
  assertEquals(used(), 10);
  usage.tokens("aa", 3);
  assertEquals(used(), 13);
  usage.finished("aa", { ...END, promptTokens: 12, completionTokens: 4 });
  assertEquals(used(), 16);
});

Deno.test("writeUsage() tells of each key by its name, and of how near it is to its limits", () => {
  const { usage, shop, desk, accounts } = parts();
  usage.accepted({ id: "aa", class: "batch", promptTokens: 50, tenant: shop });
  usage.finished("aa", { ...END, promptTokens: 50, completionTokens: 0 });
  usage.accepted({ id: "bb", class: "batch", promptTokens: 1, tenant: desk, model: "small" });
  usage.limited(shop);
  const text = new MetricsText();
  accounts.replace({ keys: [{ name: "shop", tokensPerMinute: 100, usage: true }] });
  writeUsage(text, usage, shop);
  const lines = text.toString().split("\n").filter((line) => !line.startsWith("#"));
  assertEquals(lines.filter((line) => line.startsWith("kumi:key_requests_total")), [
    'kumi:key_requests_total{key="shop",class="batch"} 1',
    'kumi:key_requests_total{key="=a \\"b\\",c",class="batch",model_name="small"} 1',
  ]);
  assertEquals(lines.filter((line) => /refused|limit/.test(line)), [
    'kumi:key_refused_total{key="shop"} 1',
    'kumi:key_limit_used_ratio{key="shop",limit="tokens_per_minute"} 0.5',
  ]);
  const own = new MetricsText();
  writeUsage(own, usage, desk);
  const shown = own.toString().split("\n").filter((line) => line.includes("key="));
  assert(shown.length > 0 && shown.every((line) => line.includes('key="=a \\"b\\",c"')), `${shown}`);
  const open = new MetricsText();
  writeUsage(open, new Usage(new Accounts()), "");
  assertEquals(open.toString().trim(), "");
});
