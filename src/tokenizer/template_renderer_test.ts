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
  assertEquals(render("{{ none is none }}{{ True }}{{ x is defined }}"), "TrueTrueFalse");
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
    assertEquals(render(`{{ ${name} is defined }}`, { x: { a: 1 }, f: "text" }), "False", name);
  }
});

const DOUBLED = "{% set ns = namespace(x=[], y=[]) %}{% for i in range(60) %}" +
  "{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}";
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
  "a list that holds itself twice, again and again, to write": `${DOUBLED}{{ ns.x }}`,
  "such lists to compare": `${DOUBLED}{{ ns.x == ns.y }}`,
  "such a list as JSON": `${DOUBLED}{{ ns.x | tojson }}`,
  "lines that are indented by many spaces": "{{ ('\\n' * 1000000) | indent(10000) }}",
  "a text between many others": "{{ range(100000) | join('x' * 100000) }}",
  "a text that is repeated too often": "{{ 'x' * 1000000000 }}",
  "a wide format": "{% for i in range(1000) %}{{ '%9999999999d' % i }}{% endfor %}{{ 1 / 0 }}",
  "white space without end": " ".repeat(200_000),
  "comments that do not end": `{% raw %}{% endraw %}${"{#".repeat(100_000)}`,
  "raw blocks that do not end": "{% raw %}".repeat(25_000),
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

Deno.test("render() takes items that occur again out of a long list in little time", () => {
  assertEquals(render("{{ range(100000) | unique | list | length }}"), "100000");
});
