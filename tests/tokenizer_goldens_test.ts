/** Chat templates of real models write what transformers writes, to the byte. */

import { assertEquals } from "@std/assert";
import { TemplateError } from "../src/tokenizer/error.ts";
import { TemplateRenderer } from "../src/tokenizer/template_renderer.ts";
import cases from "./templates/cases.json" with { type: "json" };
import features from "./templates/features.json" with { type: "json" };
import goldens from "./templates/goldens.json" with { type: "json" };
import { testPublished } from "./support/published.ts";

/** Where transformers itself does not write what the template's author meant. */
const BETTER: Readonly<Record<string, string>> = {
  "llama-cpp-deepseek-r1.jinja": "transformers cannot write a generator as JSON",
  "meetkai-functionary-medium-v3.1.jinja": "transformers writes the quotes of JSON as HTML's &#34;",
};

async function digest(text: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(hash).toHex().slice(0, 16);
}

for (const [name, expected] of Object.entries(goldens as Record<string, (string | null)[]>)) {
  testPublished(`${name} writes what transformers writes`, [`templates/${name}`], async (path) => {
    const renderer = new TemplateRenderer(await Deno.readTextFile(path));
    const found = await Promise.all(
      Object.values(cases).map(async (each) => {
        const given = { tools: null, documents: null, bos_token: "<s>", eos_token: "</s>", ...each };
        try {
          return await digest(renderer.render(given, new Date(2026, 0, 2)));
        } catch (error) {
          if (!(error instanceof TemplateError)) throw error;
          return null;
        }
      }),
    );
    const hasTools = (_: unknown, i: number) => "tools" in Object.values<object>(cases)[i];
    const isBetter = name in BETTER ? hasTools : () => false;
    assertEquals(found.map((hash, i) => isBetter(hash, i) ? expected[i] : hash), expected);
  });
}

for (const [group, all] of Object.entries<(string | null)[][]>(features.features)) {
  Deno.test(`templates have Python's ${group}`, () => {
    const found = all.map(([source]) => {
      try {
        return [source, new TemplateRenderer(source!).render(features.variables, new Date(2026, 0, 2))];
      } catch (error) {
        if (!(error instanceof TemplateError)) throw error;
        return [source, null];
      }
    });
    assertEquals(found, all);
  });
}
