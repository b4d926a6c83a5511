/** Texts that want to run, accessibility, and the page's policy, in a browser. */

import { assert, assertEquals } from "@std/assert";
import { createHandler } from "../mod.ts";
import { type Browser, type BrowserPage, untilText, withBrowser } from "./support/browser.ts";
import { startServer } from "./support/server.ts";
import { XSS } from "./support/xss.ts";

const BROWSER = { sanitizeOps: false, sanitizeResources: false };

/** Runs in the page: what an attack would call leaves a mark. */
function mark(): void {
  const page = globalThis as unknown as Record<string, unknown>;
  for (const name of ["ran", "alert", "confirm", "prompt"]) page[name] = () => void (page.hasRun = true);
}

function events(...data: unknown[]): Response {
  const text = data.map((each) => `data: ${typeof each === "string" ? each : JSON.stringify(each)}\n\n`).join(
    "",
  );
  return new Response(text, { headers: { "content-type": "text/event-stream" } });
}

/** An answer whose text, thoughts, calls and tools' names all are attacks. */
function attackingAnswer(): Response {
  const chunk = (delta: object, finish: string | null = null) => ({
    choices: [{ index: 0, delta, finish_reason: finish }],
  });
  const calls = XSS.slice(0, 4).map((text, index) => ({
    index,
    id: text,
    function: { name: text, arguments: text },
  }));
  return events(
    ...XSS.map((text) => chunk({ content: `\n\n${text}\n\n` })),
    ...XSS.map((text) => chunk({ reasoning_content: `${text}\n` })),
    chunk({ tool_calls: calls }),
    { ...chunk({}, "stop"), system_fingerprint: XSS[0] },
    { choices: [], usage: { prompt_tokens: 1, completion_tokens: 9 } },
    "[DONE]",
  );
}

const EVIL = XSS[6] + XSS[0];

function attackingModels(): Response {
  const kumi = {
    ...{
      name: EVIL,
      architecture: EVIL,
      parameters: 1,
      weight_bytes: 1,
      context_length: 9,
      has_chat_template: false,
    },
    ...{ classes: [EVIL, "batch"], default_class: EVIL, isa: EVIL, threads: 1, sampling: {} },
  };
  return Response.json({ data: [EVIL, `${EVIL}2`].map((id) => ({ id, kumi })) });
}

function attackingFeed(): Response {
  const bounds = { ttftBounds: [1], itlBounds: [1] };
  const classes = [{ name: EVIL, ttftSloMs: 1 }];
  const counts = {
    running: 1,
    waiting: 1,
    waitingTokens: 1,
    refused: 0,
    generatedTokens: 1,
    ttft: [1, 0],
    itl: [0, 1],
  };
  const kv = {
    stretches: [{ state: "used", blocks: 3, tenant: 0 }],
    blockTokens: 16,
    reservedBytes: 1,
    allocatedBytes: 1,
  };
  const step = { ms: 1, parts: [{ class: EVIL, isDecode: true, tokens: 1 }] };
  const engine = {
    steps: 1,
    preemptions: 0,
    promptTokens: 0,
    cachedTokens: 0,
    step,
    kv: { ...kv, cachedBytes: 0 },
  };
  const waiting = [{ class: EVIL, ageMs: 5, tokens: 5 }];
  return events(
    { type: "hello", model: EVIL, isa: EVIL, threads: 1, contextLength: 9, classes, ...bounds },
    {
      ...{
        type: "frame",
        at: Date.now(),
        ready: true,
        restarts: 0,
        pending: 1,
        residentBytes: 1,
        cpuSeconds: 1,
      },
      classes: [{ name: EVIL, ...counts }],
      workers: [{ worker: 0, state: EVIL, engine: { ...engine, waiting } }],
    },
  );
}

/** The page as it is, before a server that means it ill. */
function evilServer(): Deno.HttpServer<Deno.NetAddr> {
  // A model that never comes: only the page is wanted.
  const handler = createHandler(new Promise<never>(() => {}));
  const answers: Readonly<Record<string, () => Response>> = {
    "/v1/models": attackingModels,
    "/v1/chat/completions": attackingAnswer,
    "/ui/feed": attackingFeed,
  };
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const own = answers[new URL(request.url).pathname];
    return own === undefined ? handler(request) : own();
  });
}

/** What a page must not have. */
async function assertHarmless(page: BrowserPage, foreign: readonly string[]): Promise<void> {
  const found = await page.evaluate(`({
    hasRun: globalThis.hasRun === true,
    elements: [...document.querySelectorAll("#app :is(script, iframe, object, embed, img, style, link, form[action], base, meta, video, audio, svg:not(.icon, .mark), math)")].map((each) => each.outerHTML),
    handlers: [...document.querySelectorAll("#app *")].flatMap((each) => [...each.attributes]).filter(({ name }) => name.startsWith("on")).map(({ name }) => name),
    links: [...document.querySelectorAll("#app main a")].map(({ href }) => href).filter((href) => !/^(https?|mailto):/.test(href)),
  })`);
  assertEquals(found, { hasRun: false, elements: [], handlers: [], links: [] });
  assertEquals(foreign, []);
}

async function openWatched(browser: Browser, url: string) {
  const opened = await browser.open("about:blank", { before: mark });
  const foreign: string[] = [];
  opened.page.on("request", (request: { url(): string }) => {
    if (!request.url().startsWith(url) && !/^(about|blob):/.test(request.url())) foreign.push(request.url());
  });
  return { ...opened, foreign };
}

Deno.test({
  name: "nothing that a model, a name or a file says runs in the page",
  ...BROWSER,
  fn: () =>
    withBrowser(async (browser) => {
      assert(XSS.length >= 50);
      const server = evilServer();
      const url = `http://127.0.0.1:${server.addr.port}`;
      try {
        const { page, faults, foreign } = await openWatched(browser, url);
        await page.goto(url);
        await page.waitForSelector(".suggestions button:not([disabled])");
        await page.type("#composer", EVIL);
        await page.keyboard.press("Enter");
        await page.waitForSelector(".answer[aria-busy=false] .calls");
        const said: string = await page.$eval(".answer", (element: { textContent: string }) =>
          element.textContent);
        for (const part of ["ran()", "<script>", "onerror="]) {
          assert(said.includes(part), `${part} is not shown as text`);
        }
        await page.evaluate('document.querySelectorAll("details").forEach((each) => each.open = true)');
        // Everything that moves, is hovered or focused.
        await page.evaluate(
          'document.querySelectorAll("#app main *").forEach((each) => each.dispatchEvent(new PointerEvent("pointerenter")))',
        );
        await new Promise((resolve) =>
          setTimeout(resolve, 300)
        );
        await assertHarmless(page, foreign);
        for (const path of ["/ui/machine", "/ui/compare"]) {
          await page.goto(url + path);
          await page.waitForSelector(path === "/ui/machine" ? ".workers" : ".race-form");
          await assertHarmless(page, foreign);
        }
        assertEquals(faults, []);
      } finally {
        await server.shutdown();
      }
    }),
});

Deno.test({
  name: "axe finds nothing serious in any place, in light and dark, in both languages",
  ...BROWSER,
  fn: () =>
    withBrowser(async (browser) => {
      await using server = await startServer();
      await server.post("/v1/completions", { prompt: "Once", max_tokens: 4 }).then((response) =>
        response.body?.cancel()
      );
      for (const [language, theme] of [["en", "light"], ["ja", "dark"]] as const) {
        for (const path of ["/", "/ui/machine", "/ui/compare", "/docs"]) {
          const { page, faults } = await browser.open(server.url + path, { language, theme });
          if (path === "/") await talk(page);
          if (path === "/ui/machine") await page.waitForSelector(".workers");
          if (path === "/ui/compare") await page.waitForSelector(".race-form");
          assertEquals(await browser.audit(page), [], `${path} ${language} ${theme}`);
          assertEquals(faults, []);
          await page.close();
        }
      }
    }),
});

async function talk(page: BrowserPage): Promise<void> {
  await page.waitForSelector(".suggestions button:not([disabled])");
  await page.type("#composer", "What is a KV cache?");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".answer[aria-busy=false]");
  await page.$eval("[aria-controls=drawer]", (button: { click(): void }) => button.click());
  await page.waitForSelector("#drawer:not([hidden])");
}

Deno.test({
  name: "the dashboard under load says what /metrics says",
  ...BROWSER,
  fn: () =>
    withBrowser(async (browser) => {
      await using server = await startServer();
      const { page, faults } = await browser.open(`${server.url}/ui/machine`);
      await untilText(page, ".tiles", /Running/);
      const leave = new AbortController();
      const endless = { prompt: "Once", ignore_eos: true, temperature: 1, seed: 1, n: 6, class: "batch" };
      // The toy ends soon: it is asked again and again.
      const load = (async () => {
        while (!leave.signal.aborted) {
          const response = await server.post("/v1/completions", endless, { signal: leave.signal });
          await response.text();
        }
      })().catch(() => {});
      await untilText(page, "[data-tile=running] dd", /^6$/);
      await untilText(page, ".step", /Bulk: 6 × next token/);
      leave.abort();
      await load;
      await untilText(page, "[data-tile=running] dd", /^0$/);
      // At rest both say the same of everything that was counted.
      await new Promise((resolve) => setTimeout(resolve, 1500));
      const metrics = await (await server.get("/metrics")).text();
      const sample = (name: string) => {
        const lines = metrics.split("\n").filter((line) =>
          line.startsWith(`${name}{`) || line.startsWith(`${name} `)
        );
        return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
      };
      const tile = (name: string) =>
        page.$eval(`[data-tile=${name}] dd`, ({ textContent }: { textContent: string }) => textContent);
      assertEquals(Number(await tile("waiting")), sample("vllm:num_requests_waiting"));
      assertEquals(Number(await tile("preemptions")), sample("vllm:num_preemptions_total"));
      const hits = sample("vllm:prefix_cache_hits_total") / sample("vllm:prefix_cache_queries_total");
      assertEquals(await tile("hits"), Number.isNaN(hits) ? "–" : `${Math.round(100 * hits)} %`);
      assert(sample("vllm:generation_tokens_total") > 0);
      assertEquals(faults, []);
    }),
});
