import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ApiError } from "../api_error.ts";
import { checkHeaders, clientRequestId } from "./headers.ts";
import { BODY_LIMITS, BodyReader, isDeeper, parseJson } from "./json_body.ts";
import { ApiKeys, parseKeyFile } from "./keys.ts";
import { hostName, isLoopback, OriginGuard } from "./origin.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const json = { "content-type": "application/json" };

async function status(
  body: BodyInit | null,
  headers: Record<string, string> = json,
  limits = {},
): Promise<number> {
  const reader = new BodyReader({ ...BODY_LIMITS, ...limits });
  const request = new Request("http://x/", { method: "POST", body, headers });
  return (await assertRejects(() => reader.json(request), ApiError)).status;
}

/** A body that begins and never ends. */
function endless(part: string): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.enqueue(bytes(part)) });
}

Deno.test("BodyReader.json() reads JSON in parts", async () => {
  const parts = ['{"a":"', "é", '"}'].map(bytes);
  const body = ReadableStream.from([...parts.slice(0, 1), parts[1].slice(0, 1), parts[1].slice(1), parts[2]]);
  const request = new Request("http://x/", { method: "POST", body, headers: json });
  assertEquals(await new BodyReader().json(request), { a: "é" });
});

Deno.test("BodyReader.json() refuses other types, bodies too large, too slow, broken", async () => {
  assertEquals(await status("{}", { "content-type": "text/plain" }), 415);
  assertEquals(await status("{}", { "content-type": "application/jsonx" }), 415);
  assertEquals(await status("{}", { ...json, "content-encoding": "gzip" }), 415);
  assertEquals(await status(null), 400);
  assertEquals(await status(""), 400);
  assertEquals(await status("{"), 400);
  assertEquals(await status(new Uint8Array([0x22, 0xff, 0x22])), 400);
  assertEquals(await status(endless("[".repeat(11)), json, { bytesMax: 10 }), 413);
  assertEquals(await status("1234567890", json, { totalBytesMax: 9 }), 503);
  assertEquals(await status(endless("["), json, { timeMs: 10 }), 408);
});

Deno.test("isDeeper() counts brackets outside strings", () => {
  const deep = (text: string, max: number) => isDeeper(bytes(text), max);
  assertEquals([deep("[[[]]]", 3), deep("[[[]]]", 2)], [false, true]);
  assertEquals([deep('{"a":[{}]}', 3), deep('{"a":[{}]}', 2)], [false, true]);
  assertEquals(deep('["[[[[", "\\"[[[[", "\\\\", []]', 2), false);
  assertEquals(deep('["\\\\", [[]]]', 2), true);
  assertEquals(deep('"[[[[', 1), false);
  assertEquals(deep("[][][]", 1), false);
});

Deno.test("parseJson() refuses a million brackets without walking them", () => {
  const error = assertThrows(() => parseJson(bytes("[".repeat(1_000_000))), ApiError);
  assertEquals(error.code, "too_deep");
  assertEquals(parseJson(bytes("[".repeat(64) + "]".repeat(64))) instanceof Array, true);
});

Deno.test("ApiKeys.tenant() lets the right keys in and tells their owners apart", () => {
  const keys = new ApiKeys(["first-key-1", "second-key-2"]);
  const tenant = (authorization?: string) => keys.tenant(new Headers(authorization ? { authorization } : {}));
  assert(tenant("Bearer first-key-1") !== tenant("bearer second-key-2"));
  assertEquals(tenant("Bearer first-key-1").length, 16);
  assert(!tenant("Bearer first-key-1").includes("first"));
  for (
    const wrong of [
      undefined,
      "first-key-1",
      "Basic first-key-1",
      "Bearer ",
      "Bearer first-key-",
      "Bearer x y",
    ]
  ) {
    assertEquals(assertThrows(() => tenant(wrong), ApiError).status, 401);
  }
  assertEquals(new ApiKeys([]).tenant(new Headers()), "");
  const error = assertThrows(() => new ApiKeys(["short"]), RangeError);
  assert(!error.message.includes("short"));
});

Deno.test("parseKeyFile() takes one key a line", () => {
  assertEquals(parseKeyFile("# keys\n\nabc-def-ghi  web shop\r\n  second-key \n"), [
    { key: "abc-def-ghi", name: "web shop", line: 3 },
    { key: "second-key", line: 4 },
  ]);
});

Deno.test("OriginGuard.check() stops rebound names and other people's pages", () => {
  const guard = new OriginGuard({ allowHosts: ["llm.corp"], cors: ["https://chat.corp"] });
  const status = (host: string | null, origin?: string, target?: string, anyHost?: boolean) => {
    try {
      guard.check(
        new Headers({ ...host === null ? {} : { host }, ...origin === undefined ? {} : { origin } }),
        URL.parse(target ?? `http://${host ?? "127.0.0.1:8080"}/`) ?? new URL("http://localhost/"),
        { anyHost },
      );
      return 200;
    } catch (error) {
      return (error as ApiError).status;
    }
  };
  for (
    const host of ["localhost", "LOCALHOST:1", "127.0.0.1:8080", "[::1]:8080", "10.1.2.3", "llm.corp.:80"]
  ) {
    assertEquals(status(host), 200, host);
  }
  assertEquals([status("evil.example"), status("127.0.0.1.evil.example"), status("localhost.evil")], [
    403,
    403,
    403,
  ]);
  assertEquals([status("a b"), status("x:y"), status(""), status("localhost/x")], [400, 400, 400, 400]);
  // HTTP/1.0 needs no host; a target that has one counts for more than the header, and HTTP/2 has no other.
  assertEquals(status(null), 200);
  for (const host of ["localhost", null]) {
    assertEquals(status(host, undefined, "http://evil.example/"), 403);
    assertEquals(status(host, undefined, "http://localhost@evil.example/"), 403);
    assertEquals(status(host, undefined, "http://llm.corp:80/"), 200);
  }
  assertEquals(status("evil.example", undefined, "http://localhost/"), 200);
  assertEquals(status("service_1", undefined, undefined, true), 200);
  assertEquals(status("service_1", "http://service_1:9", undefined, true), 403);
  assertEquals(status("localhost:8080", "http://localhost:8080"), 200);
  assertEquals(status("localhost:8080", "https://chat.corp"), 200);
  for (const origin of ["null", "http://localhost:9", "https://evil.example", "http://chat.corp"]) {
    assertEquals(status("localhost:8080", origin), 403, origin);
  }
  assertEquals([hostName("A.b:80"), hostName("a:b:c"), hostName("[::1]:1")], ["a.b", null, "[::1]"]);
  assertEquals(["127.0.0.1", "::1", "localhost", "0.0.0.0", "::"].map(isLoopback), [
    true,
    true,
    true,
    false,
    false,
  ]);
});

Deno.test("checkHeaders() bounds headers; clientRequestId() takes harmless ids alone", () => {
  checkHeaders(new Headers({ a: "x".repeat(1000) }));
  assertEquals(
    assertThrows(() => checkHeaders(new Headers({ a: "x".repeat(17_000) })), ApiError).status,
    431,
  );
  const many = new Headers(Array.from({ length: 101 }, (_, i) => [`h${i}`, "x"]));
  assertEquals(assertThrows(() => checkHeaders(many), ApiError).status, 431);
  const id = (value: string) => clientRequestId(new Headers({ "x-request-id": value }));
  assertEquals([id("a.B_9-"), id("a b"), id("x".repeat(65)), id("<")], [
    "a.B_9-",
    undefined,
    undefined,
    undefined,
  ]);
});
