/** The traffic, the search, how it was measured and with what. @module */

import { COST_FORMULAS } from "../../../cost/mod.ts";
import type { PointSettings } from "../../report_data.ts";
import { type Content, html, type Markup, table } from "../markup.ts";
import { type Page, paragraph, section } from "../page.ts";
import { lastRun, lengthsFigure, searchFigure, settingsLabel } from "../plots/answer_plots.ts";

export function trafficSection(page: Page): Markup {
  const { report: { traffic }, t, f } = page;
  const { requestsPerSecond: mean, peakRequestsPerSecond: peak } = traffic;
  return section(
    "traffic",
    t.traffic.title,
    paragraph(
      page,
      traffic.source === "profile"
        ? t.traffic.profile(traffic.name)
        : t.traffic.file(traffic.name, f.count(traffic.requests)),
      mean !== null && t.traffic.rate(f.number(mean), f.number(peak ?? mean)),
      traffic.sharedPromptShare > 0 && t.traffic.shared(f.percent(traffic.sharedPromptShare)),
    ),
    lengthsFigure(page),
    table(
      t.traffic.columns,
      traffic.classes.map(({ class: name, share, promptTokens, answerTokens }) => [
        name,
        f.percent(share),
        f.count(promptTokens.mean),
        f.count(promptTokens.p99),
        f.count(answerTokens.mean),
        f.count(answerTokens.p99),
      ]),
    ),
    traffic.sources.length > 0 &&
      html`
        <h3>${t.traffic.sources}</h3>
        <ul>${traffic.sources.map((source) => html`<li>${t.traffic.source(source)}</li>`)}</ul>
      `,
  );
}

/** Pairs of a name and what it is. */
function facts(rows: readonly (readonly [string, Content])[]): Markup {
  return html`<dl>${
    rows.map(([name, value]) =>
      html`
        <div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>
      `
    )
  }</dl>`;
}

function settingsFacts({ t, f }: Page, settings: PointSettings): Markup {
  const names = t.search.settings;
  return facts([
    [names.workers, f.count(settings.workers)],
    [names.threads, f.count(settings.threads)],
    [names.cpus, settings.cpus ?? t.search.allCpus],
    [names.sequencesMax, f.count(settings.sequencesMax)],
    [names.batchTokens, f.count(settings.batchTokens)],
    [names.maxWaitMs, f.time(settings.maxWaitMs)],
    [names.kvFormat, settings.kvFormat],
    [names.kvTokens, f.count(settings.kvTokens)],
    [names.prefixCache, settings.prefixCache ? t.search.on : t.search.off],
  ]);
}

export function searchSection(page: Page): Markup {
  const { report: { search, chosen }, t, f } = page;
  const rows = search.points.filter(({ outcome }) => outcome !== "not run").map((point) => {
    const all = lastRun(point)?.all;
    return [
      settingsLabel(page, point.settings),
      point.problem === undefined
        ? t.search.outcomes[point.outcome]
        : `${t.search.outcomes[point.outcome]}: ${point.problem}`,
      f.count(point.lastRound + 1),
      f.number(all?.goodPerSecond ?? null),
      f.time(all?.ttftMs.p95 ?? null),
      f.time(all?.itlMs.p95 ?? null),
    ];
  });
  const { measuredPoints, gridPoints, rounds } = search;
  return section(
    "search",
    t.search.title,
    paragraph(page, t.search.intro(f.count(measuredPoints), f.count(gridPoints), f.count(rounds.length))),
    chosen === null
      ? paragraph(page, t.search.none)
      : html`<h3>${t.search.chosen}</h3>${settingsFacts(page, chosen.settings)}${
        paragraph(
          page,
          t.search.goodput(
            f.number(chosen.goodPerSecond.mean),
            f.number(chosen.goodPerSecond.low),
            f.number(chosen.goodPerSecond.high),
          ),
          chosen.equals.length > 0 && t.search.equals(f.count(chosen.equals.length)),
        )
      }`,
    searchFigure(page),
    html`<details><summary>${t.search.table}</summary>${
      table(t.search.columns, rows, { textColumns: [1] })
    }</details>`,
  );
}

export function methodSection(page: Page): Markup {
  const { report: { noise }, t, f } = page;
  return section(
    "method",
    t.method.title,
    html`<ul>${t.method.how.map((sentence) => html`<li>${page.rich(sentence)}</li>`)}</ul>`,
    paragraph(
      page,
      noise.throughputSpread === null
        ? t.method.noNoise
        : t.method.noise(f.percent(noise.throughputSpread, 1), f.count(noise.repeats)),
    ),
    html`
      <h3>${t.method.limitsTitle}</h3>
      <ul>${t.method.limits.map((sentence) => html`<li>${sentence}</li>`)}</ul>
    `,
    html`<h3>${t.method.machine}</h3>${machineFacts(page)}`,
    html`<h3>${t.method.model}</h3>${modelFacts(page)}`,
  );
}

function machineFacts({ report: { machine }, t, f }: Page): Markup {
  const { rows } = t.method;
  const { peakGmacps, caches, nodes, cpuQuota, readGBps } = machine;
  return facts([
    [rows.processor, machine.processor ?? t.header.unknownMachine],
    [rows.system, `${machine.system} ${machine.arch}`],
    [rows.level, `${machine.level} (${machine.levelWhy})`],
    [rows.cpus, f.count(machine.usableCpus)],
    ...cpuQuota === null ? [] : [[rows.quota, f.number(cpuQuota)] as const],
    [rows.memory, f.bytes(machine.memoryBytes)],
    [rows.read, readGBps === null ? t.notMeasured : `${f.number(readGBps)} GB/s`],
    [
      rows.peaks,
      peakGmacps === null
        ? t.notMeasured
        : [peakGmacps.int8, peakGmacps.bf16, peakGmacps.float].map((value) => f.number(value)).join(" / "),
    ],
    ...caches.length === 0 ? [] : [
      [
        rows.caches,
        caches.map(({ level, kind, bytes }) =>
          t.method.cacheLevel(f.count(level), kind, f.binaryBytes(bytes))
        )
          .join(", "),
      ] as const,
    ],
    [rows.nodes, f.count(nodes.length)],
  ]);
}

function modelFacts({ report: { model }, t, f }: Page): Markup {
  const { rows } = t.method;
  return facts([
    [rows.name, model.name],
    [rows.given, html`<code>${model.spec}</code>`],
    [rows.architecture, model.architecture],
    [rows.quantisation, model.quantisation],
    [rows.parameters, f.count(model.parameters)],
    [rows.file, f.bytes(model.fileBytes)],
    [rows.context, f.count(model.contextLength)],
    [rows.kvBytes, f.bytes(model.kvBytesPerToken)],
    [rows.load, model.loadSeconds === null ? t.notMeasured : f.time(model.loadSeconds * 1000)],
  ]);
}

/** A word of a command as a shell takes it. */
function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

export function appendix(page: Page): Markup {
  const { report, t, f } = page;
  const { command, seed, usedMinutes, kumiVersion, chosen, cost } = report;
  return section(
    "appendix",
    t.appendix.title,
    html`
      <h3>${t.method.repeat}</h3>
      <pre>${command.map(shellWord).join(" ")}</pre>
    `,
    paragraph(page, t.method.repeatNote(String(seed), f.number(usedMinutes), kumiVersion)),
    chosen !== null && html`
      <h3>${t.method.config}</h3>
      <pre>${JSON.stringify(chosen.config, null, 2)}</pre>
    `,
    html`<h3>${t.appendix.formulas}</h3>${formulas(page)}`,
    cost !== null && html`<h3>${t.cost.sources}</h3>${sources(page)}`,
    html`
      <h3>${t.appendix.legend}</h3>
      <p>${t.appendix.legendNote}</p>
    `,
    html`<h3>${t.appendix.raw}</h3>${paragraph(page, t.appendix.rawNote)}`,
  );
}

function formulas(page: Page): Markup {
  const { t } = page;
  return html`<dl class="formulas">${
    COST_FORMULAS.map(({ id, formula }) =>
      html`
        <div>
          <dt>${t.appendix.formulaNames[id]}</dt>
          <dd><code>${formula}</code></dd>
        </div>
      `
    )
  }</dl><p>${t.appendix.formulasNote}</p>${html`<dl class="formulas">${
    t.appendix.symbols.map(([name, what]) =>
      html`
        <div>
          <dt><code>${name}</code></dt>
          <dd>${what}</dd>
        </div>
      `
    )
  }</dl>`}`;
}

function sources({ report: { cost }, t, f }: Page): Markup {
  const rows = (cost?.inputs.sources ?? []).map(({ path, value, currency, date, source, placeholder }) => [
    html`<code>${path}</code>`,
    currency === null ? f.number(value, 6) : `${f.number(value, 6)} ${currency}`,
    html`<span class="date">${date}</span>`,
    html`${
      placeholder && html`
        <span class="badge placeholder">${t.cost.placeholder}</span>
      `
    }${source.replace(/^placeholder: /, "")}`,
  ]);
  return table(t.cost.sourceColumns, rows, { textColumns: [2, 3] });
}
