import { assertEquals } from "@std/assert";
import { accessLine, AccessLog } from "./access_log.ts";

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

/** Events as a server tells them, and the lines that come of them. */
function logged(tell: (log: AccessLog) => void): Record<string, unknown>[] {
  const lines: string[] = [];
  const now = () => new Date(0);
  tell(new AccessLog({ write: (line) => lines.push(line), requestOf: (id) => id.split(".")[0], now }));
  return lines.map((line) => JSON.parse(line));
}

const END = { status: 200, promptTokens: 5, cachedTokens: 2, completionTokens: 3 };
const head = (id: string, status = 200) => ({
  id,
  method: "POST",
  route: "/r",
  status,
  tenant: "t",
  headMs: 4,
});

Deno.test("AccessLog writes a stream's line when it has ended, not with its head", () => {
  const lines = logged((log) => {
    log.accepted({ id: "a.0", class: "batch" });
    log.answered(head("a"));
    log.answered({ ...head("b"), tenant: "" });
    log.firstToken("a.0", 7);
    log.finished("a.0", { ...END, reason: "abort", status: 499, e2eMs: 30 });
  });
  const common = { time: "1970-01-01T00:00:00.000Z", method: "POST", route: "/r" };
  assertEquals(lines, [
    { ...common, id: "b", status: 200, e2e_ms: 4 },
    {
      ...common,
      ...{ id: "a", status: 499, class: "batch", tenant: "t", prompt_tokens: 5, cached_tokens: 2 },
      ...{ completion_tokens: 3, ttft_ms: 7, e2e_ms: 30, reason: "abort" },
    },
  ]);
});

Deno.test("AccessLog adds the answers of a request up", () => {
  const lines = logged((log) => {
    for (const [id, ttftMs] of [["a.0", 9], ["a.1", 11]] as const) {
      log.accepted({ id, class: "batch" });
      log.firstToken(id, ttftMs);
      log.finished(id, { ...END, reason: "stop", e2eMs: 2 * ttftMs });
    }
    log.answered(head("a"));
    log.finished("a.1", { ...END, reason: "stop", e2eMs: 1 });
  });
  assertEquals(lines.length, 1);
  const { prompt_tokens, completion_tokens, ttft_ms, e2e_ms } = lines[0];
  assertEquals([prompt_tokens, completion_tokens, ttft_ms, e2e_ms], [10, 6, 9, 22]);
});

Deno.test("AccessLog says of a request that nobody takes which data it has, and why", () => {
  const [line] = logged((log) => {
    log.routed({ id: "a", route: null, reason: "data", data: "private", failed: [] });
    log.refused({ id: "a", class: "batch", reason: "data_label", status: 403 });
    log.answered({ ...head("a"), status: 403, code: "data_label" });
  });
  const { status, place, place_reason, data, reason } = line;
  assertEquals([status, place, place_reason, data, reason], [403, null, "data", "private", "data_label"]);
});

Deno.test("AccessLog says where a request was answered, as far as that is known at its end", () => {
  const routed = { id: "a", route: "gpu", reason: "late", data: "public", failed: ["other"] };
  const [line] = logged((log) => {
    log.routed(routed);
    log.accepted({ id: "a", class: "interactive" });
    log.answered(head("a"));
    log.routed({ ...routed, cost: 0.123456789, doubted: { told: 9, counted: 3 } });
    log.finished("a", { ...END, reason: "stop", e2eMs: 7 });
  });
  const { route, place, place_reason, data, failed_places, cost, told_tokens, counted_tokens } = line;
  assertEquals({ route, place, place_reason, data, failed_places, cost, told_tokens, counted_tokens }, {
    route: head("a").route,
    place: "gpu",
    place_reason: "late",
    data: "public",
    failed_places: ["other"],
    cost: 0.123457,
    told_tokens: 9,
    counted_tokens: 3,
  });
});
