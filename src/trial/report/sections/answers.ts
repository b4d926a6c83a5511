/** Quality, energy and what is predicted. @module */

import type { QualityResult } from "../../report_data.ts";
import { html, type Markup, table } from "../markup.ts";
import { badge, type Page, paragraph, section } from "../page.ts";
import { energyFigure, qualityFigure } from "../plots/answer_plots.ts";
import { capacityFigure } from "../plots/load_plots.ts";

export function qualitySection(page: Page): Markup {
  const { report: { quality }, t } = page;
  if (quality === null) {
    return section(
      "quality",
      t.quality.title,
      html`<div class="box open"><h3>${t.quality.notTested}</h3>${
        paragraph(page, t.quality.notTestedWhy)
      }</div>`,
    );
  }
  return section(
    "quality",
    t.quality.title,
    qualityFigure(page),
    qualityTable(page, quality.results),
    html`${
      quality.results.filter(({ failed }) => failed.length > 0).map(({ name, failed }) =>
        paragraph(page, t.quality.failed(name, failed.join(", ")))
      )
    }`,
  );
}

function qualityTable({ t, f }: Page, results: readonly QualityResult[]): Markup {
  const row = (label: string, passed: number, graded: number, unanswered: number | null) => [
    label,
    f.count(passed),
    f.count(graded),
    f.percent(graded === 0 ? null : passed / graded),
    f.count(unanswered),
  ];
  const rows = results.flatMap((each) => [
    row(t.quality.here(each.name, each.quantisation), each.passed, each.graded, each.unanswered),
    ...Object.entries({ ...each.byKind, ...each.byLanguage }).map(([name, { passed, graded }]) =>
      row(`· ${name}`, passed, graded, null)
    ),
  ]);
  return table(t.quality.columns, rows, { caption: t.quality.table });
}

export function energySection(page: Page): Markup {
  const { report: { energy: { measured, estimated, notMeasuredBecause } }, t, f } = page;
  const why = notMeasuredBecause !== null &&
    paragraph(page, t.energy.because(notMeasuredBecause.replace(/\.$/, "")));
  if (measured !== null) {
    const { meanWatts, idleWatts, seconds, source, domains } = measured;
    return section(
      "energy",
      t.energy.title,
      paragraph(
        page,
        t.energy.measured(t.energy.sources[source], f.time(seconds * 1000)),
        t.energy.watts(f.number(meanWatts), idleWatts === null ? null : f.number(idleWatts)),
        domains.length > 0 && t.energy.domains(domains.join(", ")),
      ),
      energyFigure(page),
    );
  }
  if (estimated === null) return section("energy", t.energy.title, paragraph(page, t.energy.none), why);
  const { tdpWatts, tdpFrom, utilisation, estimatedWatts } = estimated;
  return section(
    "energy",
    t.energy.title,
    html`<div class="box estimated">${badge("estimated", page)}${
      paragraph(
        page,
        t.energy.estimated(
          f.number(tdpWatts),
          tdpFrom === "given" ? t.energy.tdpGiven : tdpFrom,
          f.percent(utilisation),
        ),
        t.energy.estimatedWatts(`≈ ${f.number(estimatedWatts, 2)}`),
      )
    }${why}</div>`,
    energyFigure(page),
  );
}

export function capacitySection(page: Page): Markup {
  const { report: { predictions, stepModel }, t, f } = page;
  if (predictions.length === 0 || stepModel === null) {
    return section("capacity", t.capacity.title, paragraph(page, t.capacity.none));
  }
  const worst = (times: readonly (number | null)[]) => {
    const known = times.filter((each) => each !== null);
    return known.length === 0 ? null : Math.max(...known);
  };
  const rows = predictions.map(({ load, requestsPerSecond, machines, goodShare, classes }) => [
    t.capacity.times(f.number(load)),
    f.number(requestsPerSecond),
    machines === null ? t.capacity.none1 : f.count(machines),
    f.percent(goodShare),
    f.time(worst(classes.map(({ ttftMs }) => ttftMs.p95))),
    f.time(worst(classes.map(({ itlMs }) => itlMs.p95))),
  ]);
  return section(
    "capacity",
    t.capacity.title,
    html`<div class="box predicted">${badge("predicted", page)}${
      paragraph(page, t.capacity.intro(f.percent(stepModel.relativeError)))
    }</div>`,
    capacityFigure(page),
    table(t.capacity.columns, rows, { caption: html`${t.capacity.table}${badge("predicted", page)}` }),
    paragraph(page, t.capacity.more),
  );
}
