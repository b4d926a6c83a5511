import { assertEquals } from "@std/assert";
import { decodeEntities, safeLink } from "./text.ts";

Deno.test("decodeEntities() knows names and numbers, and leaves the rest", () => {
  assertEquals(
    decodeEntities("&lt;b&gt; &amp;amp; &#65;&#x42; &nope; &constructor;"),
    "<b> &amp; AB &nope; &constructor;",
  );
  assertEquals(decodeEntities("&#0;&#x110000;"), "\ufffd\ufffd");
});

Deno.test("safeLink() lets through what leads somewhere else and runs nothing", () => {
  assertEquals(safeLink("https://example.org/a?b#c"), "https://example.org/a?b#c");
  assertEquals(safeLink("mailto:a@example.org"), "mailto:a@example.org");
  for (
    const href of [
      ...["javascript:alert(1)", "JaVaScRiPt:alert(1)", " java\nscript:alert(1)", "&#106;avascript:alert(1)"],
      ...[
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "blob:x",
        "/v1/models",
        "",
      ],
    ]
  ) assertEquals(safeLink(href), null, href);
});
