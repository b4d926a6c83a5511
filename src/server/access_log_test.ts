import { assertEquals } from "@std/assert";
import { accessLine } from "./access_log.ts";

Deno.test("accessLine() writes one line of JSON", () => {
  const line = accessLine({
    id: "r-1",
    method: "POST",
    route: "/v1/models/{id}\n",
    status: 200,
    class: "interactive",
    promptTokens: 7,
    ttftMs: 12.3456,
    e2eMs: 99,
  }, new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 6)));
  assertEquals(line.includes("\n"), false);
  assertEquals(JSON.parse(line), {
    time: "2026-01-02T03:04:05.006Z",
    id: "r-1",
    method: "POST",
    route: "/v1/models/{id}\n",
    status: 200,
    class: "interactive",
    prompt_tokens: 7,
    ttft_ms: 12.3,
    e2e_ms: 99,
  });
});

Deno.test("accessLine() leaves out what a line does not have, such as a prompt", () => {
  const entry = {
    id: "r",
    method: "POST",
    route: "/",
    status: 200,
    e2eMs: 1,
    prompt: "secret",
    key: "secret",
  };
  assertEquals(accessLine(entry, new Date(0)).includes("secret"), false);
});
