import { assertEquals, assertNotEquals } from "@std/assert";
import { negotiatedDocuments } from "./documents.ts";

const page = { type: "text/html", text: "<p>ä</p>", headers: { "x-policy": "none" } };
const data = { type: "application/json", text: '{"a":1}' };

function request(headers: Record<string, string> = {}): Request {
  return new Request("http://h/docs", { headers });
}

Deno.test("negotiatedDocuments() sends the type that a client likes best", async () => {
  const answer = negotiatedDocuments();
  const typeFor = async (accept?: string) =>
    (await answer(request(accept === undefined ? {} : { accept }), [page, data])).headers.get("content-type");
  const html = "text/html; charset=utf-8";
  assertEquals(await typeFor(), html);
  assertEquals(await typeFor("*/*"), html);
  assertEquals(await typeFor("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), html);
  assertEquals(await typeFor("application/json"), "application/json");
  assertEquals(await typeFor("text/html;q=0.5, application/*"), "application/json");
  assertEquals(await typeFor("image/png"), html, "who takes none gets the usual one");
});

Deno.test("negotiatedDocuments() sends a text once to a client that keeps it", async () => {
  const answer = negotiatedDocuments();
  const first = await answer(request(), [page, data]);
  assertEquals([first.status, await first.text()], [200, page.text]);
  assertEquals(first.headers.get("x-policy"), "none");
  assertEquals([first.headers.get("vary"), first.headers.get("cache-control")], ["accept", "no-cache"]);
  const etag = first.headers.get("etag")!;
  // What passes a compressor comes back as a weak tag.
  for (const tag of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
    const again = await answer(request({ "if-none-match": tag }), [page, data]);
    assertEquals([again.status, await again.text(), again.headers.get("etag")], [304, "", etag], tag);
  }
  const json = await answer(request({ accept: data.type, "if-none-match": etag }), [page, data]);
  assertEquals([json.status, await json.text()], [200, data.text]);
  assertNotEquals(json.headers.get("etag"), etag);
  const alone = await answer(request(), [data]);
  assertEquals([await alone.text(), alone.headers.get("vary")], [data.text, null]);
});
