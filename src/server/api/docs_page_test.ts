import { assert, assertStringIncludes } from "@std/assert";
import { docsPage } from "./docs_page.ts";

Deno.test("docsPage() tells how a model's file would have it sampled", () => {
  const page = docsPage([{ name: "a<b", sampling: { temperature: 0.6, topK: 20 } }, { name: "plain" }], []);
  assertStringIncludes(
    page,
    "<code>a&lt;b</code> is sampled as its file recommends: <code>temperature</code> 0.6, <code>top_k</code> 20.",
  );
  assert(!page.includes("<code>plain</code> is sampled"));
});
