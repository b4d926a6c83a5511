import { assertEquals, assertThrows } from "@std/assert";
import { TemplateError } from "./error.ts";
import { TEMPLATE_LIMITS, TemplateRenderer } from "./template_renderer.ts";

const NOW = new Date(2026, 0, 5, 7, 8, 9);
const render = (source: string, variables = {}) => new TemplateRenderer(source).render(variables, NOW);

Deno.test("render() knows the globals of chat templates", () => {
  assertEquals(render("{% for i in range(1, 7, 2) %}{{ i }}{% endfor %}"), "135");
  assertEquals(
    render("{{ strftime_now('%d %b %Y %B %m %H:%M:%S %%') }}"),
    "05 Jan 2026 January 01 07:08:09 %",
  );
  assertEquals(render("{{ none is none }}{{ True }}{{ x is defined }}"), "truetruefalse");
  assertThrows(
    () => render("{{ raise_exception('no roles') }}"),
    TemplateError,
    "refuses this conversation: no roles",
  );
});

Deno.test("render() gives templates no host objects", () => {
  for (
    const name of [
      "globalThis",
      "Deno",
      "constructor",
      "__proto__",
      "x.constructor",
      "x.__proto__",
      "f.constructor",
    ]
  ) {
    assertEquals(render(`{{ ${name} is defined }}`, { x: { a: 1 }, f: "text" }), "false", name);
  }
});

const HOSTILE: Record<string, string> = {
  "a long loop": "{% for i in range(100000) %}{% for j in range(100000) %}{{ j }}{% endfor %}{% endfor %}",
  "empty loops": "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
  "loops over letters": "{% for i in x %}{% for j in x %}{% endfor %}{% endfor %}",
  "a loop with a condition":
    "{% for i in range(100000) %}{% for j in range(100000) if j < 0 %}{% endfor %}{% endfor %}",
  "a huge range": "{{ range(1000000000) }}",
  "a range without end": "{{ range(0, 5, 0) }}",
  "a doubled text":
    "{% set ns = namespace(x='xxxxxxxx') %}{% for i in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
  "a text that multiplies": "{% set a = 'x' * 9 %}{% set ns = namespace(x='xxxxxxxxxxxxxxxx') %}" +
    "{% for i in range(30) %}{% set ns.x = ns.x.replace('x', 'xxxxxxxxxxxxxxxx') %}{% endfor %}",
  "endless recursion": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
  "deep parentheses": `{{ ${"(".repeat(100_000)}1${")".repeat(100_000)} }}`,
  "deep blocks": "{% if 1 %}".repeat(20_000) + "{% endif %}".repeat(20_000),
  "too much text": "x".repeat(TEMPLATE_LIMITS.sourceUnits + 1),
  "an open block": "{% for x in y %}",
  "open braces": "{{".repeat(100_000),
};

for (const [what, source] of Object.entries(HOSTILE)) {
  Deno.test(`render() ends a template with ${what} in a TemplateError`, () => {
    assertThrows(() => render(source, { x: "x".repeat(100_000) }), TemplateError);
  });
}
