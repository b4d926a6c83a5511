/** What a manager reads: the verdict, what it costs, whether it answers well, what to do next. @module */

import type { Content, Markup } from "../markup.ts";
import { html } from "../markup.ts";
import { badge, type Page, paragraph } from "../page.ts";
import { isAssumed } from "../plots/cost_plots.ts";
import { shortened } from "../plots/draw.ts";
import { warnings } from "./warnings.ts";

export function firstScreen(page: Page): Markup {
  const { report: { verdict, objectives }, t } = page;
  const next = verdict.next.map((each) => html`<li>${page.rich(t.advice[each])}</li>`);
  const goals = objectives.classes.map(({ class: name, ttftMs, itlMs, itlStat }) => {
    const time = (ms: number | null) => ms === null ? null : page.f.seconds(ms);
    return html`<li>${t.verdict.objective(name, time(ttftMs), time(itlMs), itlStat)}</li>`;
  });
  return html`<section id="verdict" class="verdict ${verdict.carries}">
<p class="question">${t.verdict.question}</p>
<h2>${verdictLine(page)}</h2>
${verdictReasons(page)}
<div class="tiles">${[
    machinesTile(page),
    speedTile(page),
    costTile(page),
    qualityTile(page),
    powerTile(page),
  ]}</div>
<div class="columns"><div class="next"><h3>${t.next.title}</h3>${
    next.length > 0 ? html`<ol>${next}</ol>` : html`<p>${t.next.none}</p>`
  }</div><div class="goals"><h3>${t.verdict.objectivesTitle}</h3><ul>${goals}</ul></div></div>
</section>${warnings(page)}`;
}

function verdictLine({ report: { verdict, traffic }, t, f }: Page): string {
  const { carries, machines, classesElsewhere } = verdict;
  const [limit] = traffic.promptLimits;
  if (carries === "partly" && classesElsewhere.length === 0 && limit !== undefined) {
    return t.verdict.partlyShort(f.count(limit.tokens), f.percent(limit.share), limit.class);
  }
  if (carries === "no") return t.verdict.no;
  if (carries === "partly") {
    return classesElsewhere.length === 0
      ? t.verdict.partlyUnknown
      : t.verdict.partly(classesElsewhere.join(", "));
  }
  if (machines === null) return t.verdict.yesUnknown;
  return machines === 1 ? t.verdict.yesOne : t.verdict.yesMany(f.count(machines));
}

function verdictReasons(page: Page): Markup {
  const { report: { verdict, chosen, objectives, traffic }, t, f } = page;
  const { requestsPerSecond, users } = chosen?.highestLoad ?? { requestsPerSecond: null, users: null };
  const carries = requestsPerSecond === null ? t.verdict.carriesNothing : t.verdict.carries(
    f.number(requestsPerSecond),
    users === null ? null : f.number(users),
    f.percent(objectives.share),
  );
  const peak = traffic.peakRequestsPerSecond ?? traffic.requestsPerSecond;
  const rate = peak === null
    ? requestsPerSecond !== null && t.verdict.noRate
    : verdict.machines !== null && t.verdict.peak(
      f.number(peak),
      f.count(verdict.machines),
      verdict.utilisation === null ? null : f.percent(verdict.utilisation),
    );
  const limits = traffic.promptLimits.map(({ class: name, tokens, ttftMsForAll }) =>
    t.verdict.limit(f.count(tokens), name, f.seconds(ttftMsForAll))
  );
  return paragraph(page, carries, ...limits, rate);
}

function tile(title: Content, value: Content, lines: readonly Content[], kind = ""): Markup {
  return html`<div class="tile ${kind}"><h3>${title}</h3><p class="value">${value}</p>${
    lines.map((line) => line && html`<p>${line}</p>`)
  }</div>`;
}

function machinesTile({ report: { verdict, traffic, chosen }, t, f }: Page): Markup {
  const { machines } = verdict;
  const peak = traffic.peakRequestsPerSecond ?? traffic.requestsPerSecond;
  const rate = chosen?.highestLoad.requestsPerSecond ?? null;
  const each = rate === null ? [] : [t.tiles.machinesPerMachine(f.number(rate))];
  if (machines !== null) {
    const why = peak === null ? [] : [t.tiles.machinesAtPeak(f.number(peak))];
    return tile(t.tiles.machines, f.count(machines), [...why, ...each]);
  }
  const none = peak === null && rate !== null ? t.tiles.machinesUnknown : t.tiles.machinesNone;
  return tile(t.tiles.machines, html`<span class="words">${none}</span>`, each);
}

function speedTile({ report: { chosen }, t, f }: Page): Markup | null {
  const all = chosen?.measures.all;
  if (all === undefined || all.ttftMs.p50 === null) return null;
  const { p50 } = all.itlMs;
  return tile(
    t.tiles.speed,
    f.seconds(all.ttftMs.p50),
    [
      t.tiles.speedBegins(f.seconds(all.ttftMs.p50)),
      p50 !== null && p50 > 0 && t.tiles.speedPace(f.number(1000 / p50, 2)),
    ].filter((line) => line !== false),
  );
}

/** Other options that a tile has room for. */
const BESIDE_MAX = 3;

function costTile({ report: { cost }, t, money }: Page): Markup {
  const options = cost?.inputs.options ?? [];
  const [here] = options;
  if (cost === null || here === undefined) {
    return tile(
      t.tiles.cost,
      html`<span class="words">${t.tiles.costNone}</span>`,
      [t.tiles.costNoneWhy],
      "open",
    );
  }
  const total = (id: string) => cost.outputs.options.find((option) => option.id === id)!.month.total;
  const least = Math.min(...cost.outputs.options.map(({ month }) => month.total));
  const rows = options.slice(0, 1 + BESIDE_MAX).map((option) => {
    const { id, name } = option;
    const mark = total(id) === least && html`<span class="least"> ${t.cost.cheapest}</span>`;
    return html`<span class="row"><span>${shortened(name, 34)}${mark}</span><b>${isAssumed(option) && "≈ "}${
      money(total(id))
    }</b></span>`;
  });
  const isExample = cost.inputs.sources.some(({ placeholder }) => placeholder);
  const example = isExample && html`
    <span class="badge placeholder">${t.tiles.costExample}</span>
  `;
  return tile(t.tiles.cost, html`${money(total(here.id))}${example}`, [
    ...rows,
    options.some(isAssumed) && html`<small class="assumed">≈ ${t.cost.capacity.assumed}</small>`,
  ], "broad");
}

function qualityTile({ report: { quality }, t, f }: Page): Markup {
  const own = quality?.results.find(({ subject }) => subject === "model");
  if (quality === null || own === undefined) {
    const none = html`<span class="words">${t.tiles.qualityNone}</span>`;
    return tile(t.tiles.quality, none, [t.tiles.qualityNoneWhy], "open");
  }
  const beside = quality.results.filter((each) => each !== own).slice(0, BESIDE_MAX).map(
    ({ name, passed, graded }) => t.tiles.qualityBeside(name, f.percent(passed / graded)),
  );
  return tile(t.tiles.quality, f.percent(own.passed / own.graded), [
    t.tiles.qualityOf(f.count(own.passed), f.count(own.graded)),
    ...beside,
  ]);
}

function powerTile(page: Page): Markup {
  const { report: { energy: { measured, estimated } }, t, f } = page;
  if (measured !== null) {
    const seen = measured.source === "meter" ? t.tiles.powerMeter : t.tiles.powerCounters;
    return tile(t.tiles.power, `${f.number(measured.meanWatts)} W`, [seen]);
  }
  if (estimated === null) {
    return tile(
      t.tiles.power,
      html`<span class="words">${t.tiles.powerNone}</span>`,
      [t.notMeasured],
      "open",
    );
  }
  const value = html`≈ ${f.number(estimated.estimatedWatts, 2)} W${badge("estimated", page)}`;
  return tile(t.tiles.power, value, [t.tiles.powerEstimate], "estimated");
}
