/** Who may use the server: keys, names, origins, where it listens. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { serve } from "../mod.ts";
import { ANSWER, CHAT, errorOf, QUESTION, recorder, startServer, TEXT } from "./support/server.ts";

const KEYS = ["first-key-1", "second-key-2"];
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

/** A request with headers that fetch does not let one set. */
async function raw(url: string, head: string): Promise<string> {
  const { port } = new URL(url);
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  await connection.write(new TextEncoder().encode(`${head}\r\nConnection: close\r\n\r\n`));
  return await new Response(connection.readable).text();
}

Deno.test("with keys, every route but the health ones needs one", async () => {
  const { heard, observer } = recorder();
  await using server = await startServer({ apiKeys: KEYS, observer });
  const { get, post } = server;
  for (const path of ["/", "/livez", "/readyz"]) assert((await (await get(path)).text()).length > 5);
  for (
    const path of ["/v1/models", "/v1/models/x", "/docs", "/openapi.json", "/nothing", "/v1/", "//livez"]
  ) {
    const { code, headers } = await errorOf(get(path), 401);
    assertEquals([code, headers.get("www-authenticate")], ["missing_api_key", "Bearer"]);
    await errorOf(get(path, { headers: bearer("first-key-2") }), 401);
  }
  for (const path of [CHAT, TEXT, "/tokenize", "/detokenize"]) await errorOf(post(path, "{"), 401);
  await errorOf(get("/nothing", { headers: bearer(KEYS[1]) }), 404);
  for (const key of KEYS) {
    const response = await post(CHAT, { messages: QUESTION, temperature: 0 }, { headers: bearer(key) });
    const { choices, usage } = await response.json();
    assertEquals(choices[0].message.content, ANSWER);
    // What was computed for the other key is not used for this one.
    assertEquals(usage.prompt_tokens_details.cached_tokens, 0);
  }
  const tenants = heard.filter(([name]) => name === "accepted").map(([, event]) =>
    (event as { tenant: string }).tenant
  );
  assertEquals(new Set(tenants).size, 2);
  assert(!JSON.stringify(heard).includes("first-key-1"), "an observer saw a key");
});

Deno.test("names and origins of others are refused", async () => {
  await using server = await startServer({ cors: ["https://chat.corp"] });
  const { get, url } = server;
  const status = async (head: string) => Number((await raw(url, head)).split(" ")[1]);
  assertEquals(await status("GET /v1/models HTTP/1.1\r\nHost: localhost"), 200);
  for (const path of ["/", "/v1/models", "/docs", "/nothing", "/livez/"]) {
    assertEquals(await status(`GET ${path} HTTP/1.1\r\nHost: evil.example`), 403, path);
  }
  // The target's host is the one that counts.
  assertEquals(await status("GET http://evil.example/v1/models HTTP/1.1\r\nHost: localhost"), 403);
  assertEquals(await status("GET http://localhost/v1/models HTTP/1.1\r\nHost: evil.example"), 200);
  // Nobody rebinds a probe.
  for (const head of ["HTTP/1.0", "HTTP/1.1\r\nHost: kumi-7f9c.pods.cluster.local"]) {
    for (const path of ["/livez", "/readyz", "/health"]) {
      assertEquals(await status(`GET ${path} ${head}`), 200, path);
    }
  }
  await errorOf(get("/v1/models", { headers: { origin: "https://evil.example" } }), 403);
  const own = await get("/v1/models", { headers: { origin: url } });
  assertEquals([(await own.json()).object, own.headers.get("access-control-allow-origin")], ["list", null]);
  const allowed = await get("/v1/models", { headers: { origin: "https://chat.corp" } });
  assertEquals([(await allowed.json()).object, allowed.headers.get("access-control-allow-origin")], [
    "list",
    "https://chat.corp",
  ]);
  const preflight = await raw(
    url,
    "OPTIONS /v1/models HTTP/1.1\r\nHost: localhost\r\nOrigin: https://chat.corp\r\nAccess-Control-Request-Method: POST",
  );
  assert(preflight.startsWith("HTTP/1.1 204"), preflight);
  assertEquals(
    await status("OPTIONS /v1/models HTTP/1.1\r\nHost: localhost\r\nAccess-Control-Request-Method: POST"),
    405,
  );
});

Deno.test("with keys, a server answers to any name, and pages of others still may not ask", async () => {
  await using server = await startServer({ apiKeys: KEYS });
  const status = async (head: string) =>
    Number((await raw(server.url, `${head}\r\nAuthorization: Bearer ${KEYS[0]}`)).split(" ")[1]);
  const models = "GET /v1/models HTTP/1.1\r\nHost: kumi_service:8080";
  assertEquals(await status(models), 200);
  assertEquals(await status(`${models}\r\nOrigin: http://kumi_service:8080`), 200);
  assertEquals(await status(`${models}\r\nOrigin: https://evil.example`), 403);
});

Deno.test("serve() listens beyond this machine with keys, or when told to, alone", () => {
  for (const hostname of ["0.0.0.0", "::", "10.0.0.1"]) {
    assertThrows(() => serve({ hostname, port: 0 }), RangeError, "--api-keys");
  }
});
