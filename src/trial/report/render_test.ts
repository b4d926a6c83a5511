import { assert, assertEquals, assertThrows } from "@std/assert";
import { parseHTML } from "linkedom";
import { POWERCAP_REASONS } from "../../energy/powercap.ts";
import { parsePrices } from "../../cost/mod.ts";
import { sampleReport } from "../../../tests/support/trial_report.ts";
import { PROFILES } from "../profiles.ts";
import { trialCost } from "../cost.ts";
import { routingOf } from "../routes.ts";
import type { TrialReport } from "../report_data.ts";
import { readReport, ReportError } from "./read.ts";
import { renderReport } from "./render.ts";
import { en } from "./texts/en.ts";
import { ja } from "./texts/ja.ts";
import { wilson } from "./plots/answer_plots.ts";

const PRICES = parsePrices(
  await Deno.readTextFile(new URL("../../../examples/prices/example.json", import.meta.url)),
);

/** A report with everything in it. */
function fullReport(change: Partial<TrialReport> = {}): TrialReport {
  const report = sampleReport(change);
  return { ...report, cost: trialCost(report, PRICES, "/home/x/prices.json") };
}

/** Its costs, with a price for the tokens of the other endpoint. */
function withPrice({ cost, alternatives: [{ model }] }: TrialReport): TrialReport["cost"] {
  const { inputs } = cost!;
  const option = {
    ...{ kind: "api" as const, id: "other", name: "other", alternative: model, fixedPerMonth: 0 },
    ...{ inputPerMillion: 0.2, cachedInputPerMillion: 0.2, outputPerMillion: 0.8 },
  };
  return { ...cost!, inputs: { ...inputs, options: [...inputs.options, option] } };
}

/** A report of a trial that found next to nothing. */
function emptyReport(): TrialReport {
  const { machine, traffic, noise, verdict } = sampleReport();
  return sampleReport({
    machine: {
      ...machine,
      processor: null,
      cores: null,
      cpus: null,
      caches: [],
      readGBps: null,
      peakGmacps: null,
    },
    traffic: { ...traffic, requestsPerSecond: null, peakRequestsPerSecond: null, classes: [] },
    search: { dimensions: {}, gridPoints: 0, measuredPoints: 0, rounds: [], points: [] },
    chosen: null,
    noise: { ...noise, throughputSpread: null, ttftSpread: null },
    energy: { measured: null, estimated: null, notMeasuredBecause: null },
    quality: null,
    alternatives: [],
    stepModel: null,
    predictions: [],
    verdict: { ...verdict, carries: "no", machines: null, utilisation: null, next: [] },
    notes: [],
  });
}

// deno-lint-ignore no-explicit-any -- linkedom's document has no type here
function parsed(html: string): any {
  return (parseHTML(html) as unknown as { document: unknown }).document;
}

/** What a reader sees. */
function textOf(html: string): string {
  const document = parsed(html);
  for (const each of document.querySelectorAll("script, style")) each.remove();
  return document.documentElement.textContent.replace(/\s+/g, " ");
}

Deno.test("renderReport() makes one file: no script, no request, the report within it", () => {
  for (const language of ["en", "ja"] as const) {
    const report = fullReport();
    const html = renderReport(report, language);
    const document = parsed(html);
    assertEquals(document.documentElement.getAttribute("lang"), language);
    const scripts = [...document.querySelectorAll("script")];
    assertEquals(scripts.map((each) => each.getAttribute("type")), ["application/json"]);
    assertEquals(JSON.parse(scripts[0].textContent), JSON.parse(JSON.stringify(report)));
    assertEquals([...document.querySelectorAll("[src], [href]:not([href^='#']), link, iframe, object")], []);
    assertEquals(/@import|url\((?!#)/.test(html), false);
    const ids = [...document.querySelectorAll("main > section")].map((each) => each.id);
    assertEquals(ids, [
      "verdict",
      "warnings",
      "sentences",
      "load",
      "alternatives",
      "quality",
      "cost",
      "energy",
      "capacity",
      "traffic",
      "search",
      "method",
      "appendix",
    ]);
    // Each plot for wide pages and for telephones.
    assertEquals(document.querySelectorAll("figure .wide svg").length, 10);
    assertEquals(document.querySelectorAll("figure .narrow svg").length, 10);
  }
});

Deno.test("the report says when requests belong to the other endpoint, and what that saves", () => {
  const report = fullReport();
  const routing = routingOf({ ...report, cost: withPrice(report) }, { requestsMax: 200 })!;
  const [first] = routing.plans;
  const told = { ...routing, plans: [{ ...first, isGood: false, savedPerHour: 5 }] };
  const section = (language: "en" | "ja") => {
    const document = parsed(renderReport({ ...report, routing: told }, language));
    return document.querySelector("#alternatives").textContent.replace(/\s+/g, " ");
  };
  const text = section("en");
  for (
    const part of [
      "At 1 times the traffic it is best that",
      "Not all objectives hold even so. That costs $5.00 an hour less than",
    ]
  ) assert(text.includes(part), `${part}\n${text}`);
  assert(section("ja").includes("それでもすべての目標は守れません。"));
});

Deno.test("the first screen says whether, how many, what it costs, how well, and what to do", () => {
  const first = (report: TrialReport, language: "en" | "ja" = "en") => {
    const document = parsed(renderReport(report, language));
    return document.querySelector("#verdict").textContent.replace(/\s+/g, " ");
  };
  const text = first(fullReport());
  for (
    const part of [
      "Yes, with 3 machines like this one.",
      "up to 2.4 requests a second (about 240 users)",
      "peaks at 5.5 requests a second: 3 machines would be 76% busy",
      "Own server$1,265",
      "11 of 20 right",
      "big-model: 95%",
      "kumi serve --config kumi.config.json",
    ]
  ) assert(text.includes(part), `${part}\n${text}`);
  const { verdict, traffic } = sampleReport();
  const of = (change: Partial<TrialReport["verdict"]>) =>
    first(sampleReport({ verdict: { ...verdict, ...change } }));
  assert(of({ machines: 1 }).includes("Yes, one machine like this one is enough."));
  assert(
    first(sampleReport({
      verdict: { ...verdict, carries: "partly" },
      traffic: {
        ...traffic,
        promptLimits: [{ class: "interactive", tokens: 2400, share: 0.11, ttftMsForAll: 9000 }],
      },
    })).includes("prompts of interactive up to 2,400 tokens (11% of all requests are longer)"),
  );
  assert(
    of({ carries: "partly", classesElsewhere: ["batch"] }).includes("class batch belong on other hardware"),
  );
  assert(first(emptyReport()).includes("No, not with this model"));
  assert(first(emptyReport()).includes("quality not tested"));
  assert(first(emptyReport()).includes("no prices were given"));
  const noRate = { ...traffic, requestsPerSecond: null, peakRequestsPerSecond: null };
  const unknown = first(sampleReport({ traffic: noRate, verdict: { ...verdict, machines: null } }));
  assert(unknown.includes("no number of machines follows"), unknown);
  assert(first(fullReport(), "ja").includes("できます。同等のマシンが3台必要です。"));
});

Deno.test("each sentence for the meeting leads to the part of the report that backs it", () => {
  const sentences = (report: TrialReport, language: "en" | "ja" = "en") => {
    const document = parsed(renderReport(report, language));
    const ids = new Set([...document.querySelectorAll("section")].map((each) => `#${each.id}`));
    const items = [...document.querySelectorAll("#sentences li")];
    const links = items.map((each) => each.querySelector("a").getAttribute("href"));
    assertEquals(links.filter((link) => !ids.has(link)), []);
    return items.map((each) => each.textContent.replace(/\s+/g, " "));
  };
  const all = sentences(fullReport()).join("\n");
  for (
    const part of [
      "answers 2.4 requests a second, at least 95% of them",
      "For our peak of 5.5 requests a second we need 3 machines",
      "big-model begins half of its answers within 0.34 s, this machine within 0.48 s",
      "answered 11 of 20 questions rightly",
      "“Own server” costs $1,265 and “Rented GPU (EC2 g5.xlarge, A10G)” $794.38 a month",
      "Below 3 million requests a month “API (GPT-4o mini)” is cheaper, from 6 million on “Own server”;",
      "What moves the cost most is: utilisation.",
      "The prices are examples so far",
      "estimated at about 116 W; it was not measured",
      "With 10 times the load we would need 23 machines",
    ]
  ) assert(all.includes(part), `${part}\n${all}`);
  assertEquals(sentences(fullReport(), "ja").length, sentences(fullReport()).length);
  const few = sentences(emptyReport()).join("\n");
  assert(few.includes("at any load that was tried") && few.includes("has not been tested yet"), few);
});

Deno.test("estimated energy is never shown as measured, nor the other way round", () => {
  const section = (report: TrialReport) => parsed(renderReport(report, "en")).querySelector("#energy");
  const estimated = section(fullReport());
  const text = estimated.textContent;
  assert(text.includes("This is an estimate and no measurement"));
  assertEquals(/Measured over/.test(text), false);
  assertEquals([...estimated.querySelectorAll("figure")].map((each) => each.className), ["estimated"]);
  assert(estimated.querySelector("figure svg").innerHTML.includes("url(#hatch-"));
  const measured = section(fullReport({
    energy: {
      measured: {
        source: "rapl",
        domains: ["package-0"],
        seconds: 60,
        grossJoules: 6000,
        meanWatts: 100,
        idleWatts: null,
        idleSubtractedJoules: null,
        joulesPerToken: { perAnswerToken: 0.3, prefill: 0.1, decode: 0.2, classes: {} },
      },
      estimated: null,
      notMeasuredBecause: null,
    },
  }));
  assert(measured.textContent.includes("Measured over"));
  assertEquals(/estimate/i.test(measured.textContent), false);
  assertEquals([...measured.querySelectorAll("figure")].map((each) => each.className), ["measured"]);
  assertEquals(measured.querySelector("figure svg").innerHTML.includes("url(#hatch-"), false);
});

Deno.test("why energy was not measured is told in the reader's language", () => {
  for (const why of [POWERCAP_REASONS.none, POWERCAP_REASONS.denied]) {
    const report = sampleReport({
      energy: { measured: null, estimated: null, notMeasuredBecause: why },
      notes: [{ note: "energy not measured", why }],
    });
    const told = { en: 0, ja: 0 };
    for (const lang of ["en", "ja"] as const) {
      told[lang] = textOf(renderReport(report, lang)).split(why.slice(0, 40)).length - 1;
    }
    assert(told.en >= 2 && told.ja === 0, JSON.stringify(told));
  }
});

Deno.test("a profile's sources are told in the reader's language", () => {
  for (const { sources } of Object.values(PROFILES)) {
    const report = sampleReport({ traffic: { ...sampleReport().traffic, sources } });
    assert(sources.every((each) => textOf(renderReport(report, "en")).includes(each)));
    assert(sources.every((each) => !textOf(renderReport(report, "ja")).includes(each)));
  }
});

Deno.test("what comes from outside is text, wherever it stands", () => {
  const evil = `</script><img src=x onerror=alert(1)>"'&\u202e`;
  const words = new Set([
    "from",
    "itlStat",
    "outcome",
    "carries",
    "note",
    "source",
    "subject",
    "kind",
    "basis",
    "input",
  ]);
  const poison = (value: unknown, key = ""): unknown => {
    if (typeof value === "string") {
      return words.has(key) || /^\d{4}-/.test(value) || key === "next" ? value : evil + value;
    }
    if (Array.isArray(value)) return value.map((each) => poison(each, key));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, poison(each, name)]));
  };
  const report = poison(sampleReport()) as TrialReport;
  // Ids join parts of the costs: they are made after it. Their names are not ours.
  const prices = structuredClone(PRICES);
  for (const option of prices.options) option.name = evil + option.name;
  const full = { ...report, cost: trialCost(report, prices, `${evil}.json`) };
  for (const language of ["en", "ja"] as const) {
    const html = renderReport(full, language);
    const document = parsed(html);
    assertEquals(document.querySelectorAll("img, [onerror]").length, 0);
    assertEquals(document.querySelectorAll("script").length, 1);
    assertEquals(html.includes("<img"), false);
    assertEquals(html.replace(/<script[\s\S]*/, "").includes("\u202e"), false);
    assert(textOf(html).includes("<img src=x onerror=alert(1)>"));
  }
});

Deno.test("what was not measured is a dash or a sentence: no null, NaN or undefined is printed", () => {
  const { chosen } = sampleReport();
  const none = { p50: null, p90: null, p95: null, p99: null };
  const silent = {
    ...chosen!,
    measures: {
      ...chosen!.measures,
      all: { ...chosen!.measures.all, ttftMs: none, itlMs: none, e2eMs: none, goodShare: null },
      classes: [],
      residentBytes: null,
      kv: null,
      cpuShare: null,
    },
    highestLoad: { requestsPerSecond: null, users: null, aboveRequestsPerSecond: null, tries: [] },
  };
  for (const report of [fullReport(), emptyReport(), sampleReport({ chosen: silent })]) {
    for (const language of ["en", "ja"] as const) {
      const text = textOf(renderReport(report, language));
      assertEquals(text.match(/.{0,40}(\bnull\b|\bNaN\b|undefined|\[object|Infinity).{0,20}/g), null);
    }
  }
});

Deno.test("a term is explained where it stands first, and only there", () => {
  for (const language of ["en", "ja"] as const) {
    const html = renderReport(fullReport(), language);
    const words = [...parsed(html).querySelectorAll("dfn")].map((each) => each.textContent);
    assertEquals(words.length, new Set(words).size);
    const { glosses } = language === "en" ? en : ja;
    for (
      const name of [
        "ttft",
        "itl",
        "objective",
        "token",
        "kv",
        "breakEven",
        "goodput",
        "prefixCache",
        "class",
        "tornado",
      ] as const
    ) {
      assert(words.includes(glosses[name].word), name);
    }
  }
});

Deno.test("both languages say the same things: tables as wide, lists as long, and Japanese in Japanese", () => {
  const walk = (a: unknown, b: unknown, path: string): void => {
    assertEquals(typeof a, typeof b, path);
    if (Array.isArray(a)) assertEquals(a.length, (b as unknown[]).length, path);
    if (typeof a === "object" && a !== null) {
      assertEquals(Object.keys(a).sort(), Object.keys(b as object).sort(), path);
      for (const key of Object.keys(a)) {
        walk((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key], `${path}.${key}`);
      }
    }
  };
  walk(en, ja, "texts");
  const rest = textOf(renderReport(emptyReport(), "ja")).match(/[A-Za-z]{3,} [a-z]{2,} [a-z]{2,}/g) ?? [];
  // What a report itself says in English, and a command line.
  const own = JSON.stringify(emptyReport());
  assertEquals(
    rest.filter((words) => !own.includes(words) && !/^kumi/.test(words)),
    [],
  );
});

/** All words that a report may have as headings and titles. */
function titlesOf(texts: unknown, found = new Set<string>()): Set<string> {
  if (typeof texts === "string") found.add(texts);
  else if (typeof texts === "object" && texts !== null) {
    for (const each of Object.values(texts)) titlesOf(each, found);
  }
  return found;
}

Deno.test("docs/trial.md and docs/trial.ja.md name parts and keys of a report that there are", async () => {
  const report = fullReport();
  const has = (path: string) => {
    let at: unknown = report;
    for (const key of path.split(".")) {
      const [, name, list] = /^(\w+)(\[\])?$/.exec(key)!;
      at = (at as Record<string, unknown> | undefined)?.[name];
      if (list !== undefined) at = (at as unknown[] | undefined)?.[0];
    }
    return at !== undefined;
  };
  for (
    const [file, texts, heading, title] of [
      ["trial.md", en, "## Sentences for the meeting", /_([^_|]+)_/g],
      ["trial.ja.md", ja, "## 会議で使う文", /「([^」|]+)」/g],
    ] as const
  ) {
    const page = await Deno.readTextFile(new URL(`../../../docs/${file}`, import.meta.url));
    const rows = page.split(heading)[1].split("\n").filter((line) => line.startsWith("| ")).slice(2);
    assertEquals(rows.length, 13, file);
    const titles = titlesOf(texts);
    for (const row of rows) {
      const backed = row.split("|")[2];
      const named = [...backed.matchAll(title)].map(([, name]) => name);
      const keys = [...backed.matchAll(/`([\w.[\]]+)`/g)].map(([, key]) => key);
      assert(named.length > 0 && keys.length > 0, row);
      assertEquals(named.filter((name) => !titles.has(name)), [], row);
      assertEquals(keys.filter((key) => !has(key)), [], row);
    }
  }
});

Deno.test("wilson() gives the interval of a share", () => {
  const rounded = (passed: number, graded: number) =>
    wilson(passed, graded).map((share) => Number(share.toFixed(4)));
  // Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
  assertEquals(rounded(81, 263), [0.2553, 0.3662]);
  assertEquals(rounded(15, 148), [0.0624, 0.1605]);
  assertEquals(rounded(0, 20), [0, 0.1611]);
  assertEquals(rounded(1, 29), [0.0061, 0.1718]);
});

Deno.test("readReport() refuses what is no report, and says why", () => {
  const refused = (text: string, message: string) => {
    const told = assertThrows(() => readReport(text), ReportError).message;
    assert(told.includes(message), told);
  };
  refused("{", "is no JSON");
  refused("[]", "no trialReport");
  refused("null", "no trialReport");
  refused('{"trialReport": 99}', "version 99; this kumi reads version 1");
  refused(JSON.stringify({ ...sampleReport(), machine: null }), "machine is null, and should be object");
  refused(JSON.stringify({ ...sampleReport(), notes: undefined }), "notes is not there, and should be list");
  assertEquals(readReport(JSON.stringify(sampleReport())).seed, 1);
});
