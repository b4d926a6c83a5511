/**
 * Valid and broken requests in random order: every answer is an error a client can help, or right, or a
 * deliberate 503; none hangs, and the next good request is answered right. `deno task run
 * tests/server_fuzz_test.ts 100000` sends more.
 */
import { assert, assertEquals } from "@std/assert";
import { CHAT_BODY } from "../src/server/dialects/chat.ts";
import { COMPLETIONS_BODY } from "../src/server/dialects/completions.ts";
import { EMBEDDINGS_BODY } from "../src/server/dialects/embeddings.ts";
import { ANSWER, assertIdle, CHAT, QUESTION, startServer, type TestServer, TEXT } from "./support/server.ts";

const REQUESTS = 2000;
const GOOD_EVERY = 50;
const HANG_MS = 60_000;
const AT_ONCE = 8;

/** Seeded, so that a failure can be repeated. */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(n: number): number {
    this.#state = Math.imul(this.#state ^ (this.#state >>> 15), 0x2c1b3c6d) + 0x9e3779b9 | 0;
    return ((this.#state ^ (this.#state >>> 13)) >>> 0) % n;
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)];
  }
}

const VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  1,
  -1,
  0.5,
  7,
  1e9,
  1e308,
  -1e308,
  2 ** 53,
  "",
  "x",
  "\ud800",
  "\0",
  "stop",
  "a".repeat(5000),
  [],
  {},
  [1, 2],
  ["a", "b"],
  [[1], [2]],
  [null],
  { a: 1 },
  { "1": 5 },
  { type: "text" },
  [{ role: "user", content: "x" }],
  [{ role: "user" }],
  [{ role: "root", content: "x" }],
  [{ role: "user", content: [{ type: "text", text: "y" }] }],
  { include_usage: true },
  { include_usage: true, continuous_usage_stats: true },
  [{ role: "user", content: "x", name: "y" }, { role: "assistant", content: null }],
  [{ role: "user", content: "x" }, { role: "assistant", content: "<|" }],
  [{ role: "assistant", tool_calls: [{ function: { name: "f", arguments: '{"<s>":"</s>"}' } }] }],
  [{ role: "tool", content: "[]", tool_call_id: "1" }, { role: "developer", content: "" }],
];
const NAMES = [
  ...Object.keys(CHAT_BODY.shape),
  ...Object.keys(COMPLETIONS_BODY.shape),
  ...Object.keys(EMBEDDINGS_BODY.shape),
  "tools",
  "__proto__",
  "toString",
  "",
];
const PATHS = [
  ...[CHAT, CHAT, CHAT, CHAT, TEXT, TEXT, TEXT, TEXT, "/tokenize", "/tokenize", "/detokenize"],
  ...["/v1/embeddings", "/v1/embeddings"],
  ...["/v1/models", "/v1/models/%zz", "/readyz", "/docs", "/../etc/passwd"],
];
const BODIES = [
  "",
  "{",
  "[",
  "null",
  "1e999",
  '{"a":',
  "\ufeff{}",
  "{}{}",
  '{"a":1,"a":2}',
  "[".repeat(70),
  '"'.repeat(9),
];

/** What a path wants. */
function bodyFor(path: string): object {
  if (path === TEXT) return { prompt: "Once" };
  if (path === "/tokenize") return { content: "Once" };
  if (path === "/v1/embeddings") return { input: "Once" };
  return path === "/detokenize" ? { tokens: [1, 2] } : { messages: QUESTION };
}

function randomBody(dice: Dice, path: string): string {
  if (dice.below(5) === 0) return dice.pick(BODIES);
  const body = { ...bodyFor(path), max_tokens: 1 + dice.below(8) } as Record<string, unknown>;
  if (path !== CHAT && path !== TEXT) delete body.max_tokens;
  if (dice.below(8) === 0) delete body[Object.keys(body)[0]];
  for (let i = dice.below(4); i > 0; i--) {
    Object.defineProperty(body, dice.pick(NAMES), {
      value: dice.pick(VALUES),
      enumerable: true,
      configurable: true,
    });
  }
  const text = JSON.stringify(body);
  if (dice.below(10) > 0) return text;
  const at = dice.below(text.length);
  return text.slice(0, at) + dice.pick(["", "\\", '"', "}", "\u{1f600}", "0"]) +
    text.slice(at + dice.below(3));
}

/** What no HTTP client sends: pieces of requests in any order, broken anywhere. */
const PIECES = [
  ...[
    "GET /livez HTTP/1.1\r\n",
    "POST /tokenize HTTP/1.1\r\n",
    "GET / HTTP/1.0\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  ],
  ...[
    "Host: localhost\r\n",
    "Host: a\r\nHost: b\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 18446744073709551616\r\n",
  ],
  ...[
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked, identity\r\n",
    "Content-Type: application/json\r\n",
  ],
  ...[
    "\r\n",
    "\n",
    "\n\n",
    "\r",
    "\0",
    " ",
    '5\r\n{"a":\r\n',
    "0\r\n\r\n",
    "ffffffffffffffff\r\n",
    "{}",
    "X: y\r\n z\r\n",
  ],
  ...[
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "Expect: 100-continue\r\n",
    "Upgrade: websocket\r\n",
  ],
  "X: " + "a".repeat(9000) + "\r\n",
];

/**
 * What comes until the connection ends, or a while after something came: it may stay open. Null where nothing
 * happens.
 */
async function hear(conn: Deno.TcpConn): Promise<string | null> {
  let said = "";
  const buffer = new Uint8Array(4096);
  while (true) {
    let timer;
    const silence = new Promise<"silence">((resolve) => {
      timer = setTimeout(() => resolve("silence"), said === "" ? HANG_MS : 50);
    });
    const count = await Promise.race([conn.read(buffer).catch(() => null), silence]);
    clearTimeout(timer);
    if (typeof count === "number") {
      said += new TextDecoder().decode(buffer.subarray(0, count));
      continue;
    }
    conn.close();
    return count === null || said !== "" ? said : null;
  }
}

/** Sends pieces; the server must end the connection, or answer, as HTTP has it. */
async function sendRaw({ server: { port } }: TestServer, dice: Dice, label: string): Promise<number> {
  let text = dice.below(3) > 0 ? "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n" : "";
  for (let i = dice.below(8); i > 0; i--) text += dice.pick(PIECES);
  if (dice.below(3) > 0) text += "\r\n";
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(new TextEncoder().encode(text)).catch(() => {});
  const said = await hear(conn);
  assert(said !== null, `${label}: ${JSON.stringify(text)} hangs`);
  for (const [, status] of said.matchAll(/^HTTP\/1\.[01] (\d+)/gm)) {
    assert(Number(status) < 500 || status === "503", `${label}: ${JSON.stringify(text)}: ${said}`);
  }
  return Number(/^HTTP\/1\.[01] (\d+)/.exec(said)?.[1] ?? 0);
}

async function sendOne(server: TestServer, dice: Dice, label: string): Promise<number> {
  if (dice.below(20) === 0) return await sendRaw(server, dice, label);
  const path = dice.pick(PATHS);
  const method = dice.below(10) === 0 ? dice.pick(["GET", "PUT", "DELETE", "PATCH", "OPTIONS"]) : "POST";
  const type = dice.below(20) === 0
    ? dice.pick(["text/plain", "", "application/json; charset=x"])
    : "application/json";
  const body = method === "GET" ? undefined : randomBody(dice, path);
  const hang = AbortSignal.timeout(HANG_MS);
  const leave = dice.below(20) === 0 ? AbortSignal.timeout(dice.below(20)) : null;
  const signal = leave === null ? hang : AbortSignal.any([hang, leave]);
  try {
    const response = await server.get(path, { method, body, signal, headers: { "content-type": type } });
    const text = await response.text();
    const { status } = response;
    assert(status < 500 || status === 503, `${label}: ${status} for ${method} ${path} ${body}: ${text}`);
    if (status >= 400 && method !== "HEAD") {
      assertEquals(typeof JSON.parse(text).error.message, "string", label);
    }
    return status;
  } catch (error) {
    assert(!hang.aborted, `${label}: ${method} ${path} ${body} hangs`);
    if (leave?.aborted) return 499;
    throw error;
  }
}

async function assertGood({ post }: TestServer, label: string): Promise<void> {
  const response = await post(CHAT, { messages: QUESTION, temperature: 0 }, {
    signal: AbortSignal.timeout(HANG_MS),
  });
  assertEquals((await response.json()).choices?.[0].message.content, ANSWER, label);
}

async function fuzz(requests: number, seed: number): Promise<Map<number, number>> {
  await using server = await startServer({
    bodyLimits: { timeMs: 1000 },
    gate: { headMs: 300 },
  });
  const counts = new Map<number, number>();
  const dice = new Dice(seed);
  for (let i = 0; i < requests; i += AT_ONCE) {
    const statuses = await Promise.all(
      Array.from({ length: AT_ONCE }, (_, j) => sendOne(server, dice, `seed ${seed}, request ${i + j}`)),
    );
    for (const status of statuses) counts.set(status, (counts.get(status) ?? 0) + 1);
    if (i % GOOD_EVERY < AT_ONCE) await assertGood(server, `after request ${i} of seed ${seed}`);
  }
  await assertIdle(server.model);
  return counts;
}

Deno.test(`the server survives ${REQUESTS} valid and broken requests`, async () => {
  const counts = await fuzz(REQUESTS, 1);
  // Otherwise the requests were not what they are meant to be.
  for (const status of [200, 400, 404, 405, 415]) assert((counts.get(status) ?? 0) > 10, `${status} is rare`);
});

if (import.meta.main) {
  const seed = Number(Deno.args[1] ?? Date.now() % 1e6);
  console.log(`seed ${seed}`, await fuzz(Number(Deno.args[0] ?? 100_000), seed));
}
