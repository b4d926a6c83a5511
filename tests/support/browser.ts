/** A browser for tests of pages: Chromium without a window, driven by puppeteer-core. @module */

import { findOnPath } from "../../src/process/path_search.ts";
import { type Module, npmModules } from "./npm.ts";

const PROGRAMS = ["chromium", "chromium-browser", "google-chrome"];
const PUPPETEER = "puppeteer-core@25.16.0";
const AXE = "axe-core@4.14.1";

/** A page of a browser: puppeteer's. */
// deno-lint-ignore no-explicit-any
export type BrowserPage = any;

/** What a page is opened with. */
export interface PageOptions {
  readonly width?: number;
  readonly height?: number;
  readonly language?: "en" | "ja";
  readonly theme?: "light" | "dark";
  /** Runs in the page before its own programs. */
  readonly before?: () => void;
}

/** A browser that ends with its test. */
export interface Browser extends AsyncDisposable {
  /** Opens a page with a profile of its own. What goes wrong inside is in `faults`. */
  open(url: string, options?: PageOptions): Promise<{ page: BrowserPage; faults: string[] }>;
  /** What axe finds in a page that is serious or critical. */
  audit(page: BrowserPage): Promise<string[]>;
}

/** Starts it; a sentence that says what is missing where it cannot. */
export async function startBrowser(): Promise<Browser | string> {
  const program = PROGRAMS.map((name) => findOnPath(name)).find((path) => path !== undefined);
  if (program === undefined) return "no Chromium (apt-get install chromium)";
  const modules = await npmModules(PUPPETEER, AXE);
  if (modules === null) return `no ${PUPPETEER} or ${AXE} from npm`;
  const [puppeteer, axe] = modules;
  // In containers tests run as root, without what Chromium's own sandbox needs.
  const args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--lang=en"];
  const browser = await puppeteer.default.launch({ executablePath: program, args, headless: true });
  return {
    open: (url, options) => open(browser, url, options),
    audit: (page) => audit(page, axe),
    [Symbol.asyncDispose]: () => browser.close(),
  };
}

async function open(browser: Module, url: string, options: PageOptions = {}) {
  const { width = 1280, height = 860, language = "en", theme = "light", before } = options;
  const context = await browser.createBrowserContext();
  const page: BrowserPage = await context.newPage();
  const faults: string[] = [];
  page.on("pageerror", (error: Error) => faults.push(error.stack ?? String(error)));
  page.on("console", (message: Module) => {
    // Answers that are errors are the page's business.
    if (message.type() === "error" && !/Failed to load resource/.test(message.text())) {
      faults.push(message.text());
    }
  });
  await page.setViewport({ width, height });
  await page.evaluateOnNewDocument(
    // An empty page has no storage.
    `try { localStorage.setItem("kumi.language", "${language}"); localStorage.setItem("kumi.theme", "${theme}"); } catch {}`,
  );
  if (before !== undefined) await page.evaluateOnNewDocument(before);
  await page.goto(url);
  return { page, faults };
}

interface Finding {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string }[];
}

async function audit(page: BrowserPage, axe: Module): Promise<string[]> {
  // The page's policy lets no other program in, but what the browser's driver evaluates is above it.
  await page.evaluate(axe.default.source);
  const violations: Finding[] = await page.evaluate("axe.run().then(({ violations }) => violations)");
  return violations.filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, impact, nodes }) =>
      `${impact}: ${id}: ${nodes.map(({ html }) => html).slice(0, 4).join(" | ")}`
    );
}

/** A test with a browser, skipped by name where there is none. */
export async function withBrowser(test: (browser: Browser) => Promise<void>): Promise<void> {
  const browser = await startBrowser();
  if (typeof browser === "string") return console.log(`skipped: ${browser}`);
  try {
    await test(browser);
  } finally {
    await browser[Symbol.asyncDispose]();
  }
}

/** Waits until a page shows a text; throws where it does not within 20 s. */
export async function untilText(page: BrowserPage, selector: string, pattern: RegExp): Promise<string> {
  for (let i = 0; i < 400; i++) {
    const text: string = await page.$eval(selector, (element: { textContent: string }) => element.textContent)
      .catch(() => "");
    if (pattern.test(text)) return text;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const seen = await page.$eval("body", (body: { innerText: string }) => body.innerText).catch(() =>
    "nothing"
  );
  throw new Error(`${selector} never had ${pattern}; the page has:\n${seen}`);
}
