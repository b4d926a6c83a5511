/** How much load the machine carries, and what users see then; beside an alternative. @module */

import type { ClassMeasures, Measures, TrialAlternative, TrialRouting } from "../../report_data.ts";
import { html, type Markup, table } from "../markup.ts";
import { type Page, paragraph, section } from "../page.ts";
import { latencyFigure, loadFigure } from "../plots/load_plots.ts";

export function loadSection(page: Page): Markup | null {
  const { report: { chosen, objectives }, t, f } = page;
  if (chosen === null) return null;
  const { measures } = chosen;
  const { kv, residentBytes, cpuShare } = measures;
  return section(
    "load",
    t.load.title,
    paragraph(page, t.load.intro(f.percent(objectives.share))),
    loadFigure(page),
    paragraph(page, t.load.terms),
    latencyFigure(page),
    classTable(page, measures),
    paragraph(
      page,
      residentBytes !== null && t.load.memory(f.bytes(residentBytes)),
      kv !== null &&
        t.load.kv(f.bytes(kv.allocatedBytes), f.percent(kv.waste, 1), f.bytes(kv.maxLengthReservationBytes)),
      cpuShare !== null && t.load.cpu(f.percent(cpuShare)),
    ),
  );
}

function classTable({ t, f }: Page, measures: Measures): Markup {
  const rows = measures.classes.length > 1 ? [measures.all, ...measures.classes] : [measures.all];
  return table(
    t.load.columns,
    rows.map((each) => [
      each === measures.all ? t.load.all : each.class,
      f.count(each.requests),
      f.percent(each.goodShare, 1),
      f.count(each.refused),
      f.count(each.failed),
      f.time(each.ttftMs.p50),
      f.time(each.ttftMs.p95),
      f.time(each.itlMs.p50),
      f.time(each.itlMs.p95),
      f.time(each.e2eMs.p50),
      f.number(each.answerTokensPerSecond),
    ]),
    { caption: t.load.table(f.time(measures.seconds * 1000)) },
  );
}

export function alternativesSection(page: Page): Markup | null {
  const { report, t, f } = page;
  const { alternatives, chosen } = report;
  if (alternatives.length === 0) return null;
  const named = (each: TrialAlternative) => `${each.model} (${each.url})`;
  const measured = alternatives.filter(({ measures }) => measures !== null);
  const rows = [
    ...chosen === null
      ? []
      : [sideRow(page, t.alternatives.here, chosen.measures.all, page.report.cost?.inputs.options[0]?.id)],
    ...measured.map((each) => {
      const id = page.report.cost?.inputs.options.find(({ alternative }) => alternative === each.model)?.id;
      return sideRow(page, each.model, each.measures!.all, id);
    }),
  ];
  return section(
    "alternatives",
    t.alternatives.title,
    html`${
      measured.map((each) =>
        paragraph(page, t.alternatives.intro(named(each), f.number(each.requestsPerSecond)))
      )
    }`,
    measured.length > 0 && table(t.alternatives.columns, rows),
    html`${
      alternatives.map((each) =>
        paragraph(
          page,
          each.measures === null && t.alternatives.failed(named(each), each.problem ?? t.notMeasured),
          t.alternatives.spent(f.count(each.spentTokens), f.count(each.tokensMax)),
          each.capped && t.alternatives.capped,
        )
      )
    }`,
    report.routing != null && routes(page, report.routing),
  );
}

/** When requests belong there, by load. */
function routes(page: Page, { plans }: TrialRouting): Markup {
  const { t, f, money } = page;
  return html`${paragraph(page, t.alternatives.routes.intro)}${
    plans.map(({ load, way, waitShare, awayShare, isGood, savedPerHour }) =>
      paragraph(
        page,
        t.alternatives.routes.way(
          f.number(load),
          waitShare === undefined
            ? t.alternatives.routes.ways[way]
            : t.alternatives.routes.late(f.percent(waitShare)),
        ),
        t.alternatives.routes.away(f.percent(awayShare, 1)),
        !isGood && t.alternatives.routes.notAll,
        savedPerHour !== null && savedPerHour > 0 && t.alternatives.routes.saved(money(savedPerHour)),
      )
    )
  }`;
}

/** A line of the comparison; the price is that of the option with this id, at the volume reckoned with. */
function sideRow(
  { report: { cost }, f, money }: Page,
  name: string,
  all: ClassMeasures,
  id: string | undefined,
) {
  const price = cost?.outputs.options.find((option) => option.id === id)?.perMillionAtVolume;
  return [
    name,
    f.percent(all.goodShare, 1),
    f.time(all.ttftMs.p50),
    f.time(all.ttftMs.p95),
    f.time(all.itlMs.p50),
    f.time(all.itlMs.p95),
    f.number(all.goodPerSecond),
    price === undefined ? f.number(null) : money(price),
  ];
}
