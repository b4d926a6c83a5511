import { assert, assertStringIncludes } from "@std/assert";
import { CHAT } from "../dialects/chat.ts";
import { docsPage } from "./docs_page.ts";

Deno.test("docsPage() tells how a model's file would have it sampled", () => {
  const page = docsPage([{ name: "a<b", sampling: { temperature: 0.6, topK: 20 } }, { name: "plain" }], []);
  assertStringIncludes(
    page,
    "<code>a&lt;b</code> is sampled as its file recommends: <code>temperature</code> 0.6, <code>top_k</code> 20.",
  );
  assert(!page.includes("<code>plain</code> is sampled"));
});

Deno.test("docsPage() lists what changes nothing, wherever it stands, and nothing else", () => {
  const endpoint = { ...CHAT, method: "POST", path: "/chat" } as const;
  const page = docsPage([], [endpoint]);
  const [, listed] = /Taken, and changes nothing: (.*?)\.<\/p>/.exec(page)!;
  const names = [...listed.matchAll(/<code>(.*?)<\/code>/g)].map(([, name]) => name);
  const some = [
    "user",
    "store",
    "metadata",
    "service_tier",
    "prompt_cache_key",
    "safety_identifier",
    "verbosity",
  ];
  for (const name of [...some, "messages[].cache_control"]) assert(names.includes(name), name);
  for (const name of ["logit_bias", "guided_json", "tools[].function.parameters", "parallel_tool_calls"]) {
    assert(!names.includes(name), name);
    assertStringIncludes(page, `<code>${name}</code>`);
  }
});
