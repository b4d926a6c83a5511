/** What answers cost, beside the alternatives. @module */

import type { CostOption, MonthlyCost } from "../../../cost/mod.ts";
import type { TrialCost } from "../../report_data.ts";
import { type Content, html, type Markup, table } from "../markup.ts";
import { badge, type Page, paragraph, section } from "../page.ts";
import {
  isAssumed,
  legendEntries,
  perMillionFigure,
  tornadoFigure,
  volumeFigure,
} from "../plots/cost_plots.ts";

export function costSection(page: Page): Markup {
  const { report: { cost }, t } = page;
  if (cost === null || cost.inputs.options.length === 0) {
    return section("cost", t.cost.title, paragraph(page, t.cost.none), cost && leftOut(page, cost));
  }
  return section(
    "cost",
    t.cost.title,
    introduction(page, cost),
    monthTable(page, cost),
    leftOut(page, cost),
    perMillionFigure(page, cost),
    volumeFigure(page, cost),
    html`<ul class="legend">${
      legendEntries(cost).map(({ name, color }) =>
        html`<li><span style="background:${color}"></span>${name}</li>`
      )
    }</ul>`,
    breakEvenTable(page, cost),
    tornadoFigure(page, cost),
  );
}

function introduction(page: Page, { inputs: { volume, mix }, pricesFile, pricesDate }: TrialCost): Markup {
  const { t, f } = page;
  const tokens = volume.requestsPerMonth * (mix.promptTokens + mix.answerTokens);
  const requests = f.words(volume.requestsPerMonth);
  return paragraph(
    page,
    t.cost.intro(requests, f.words(tokens), pricesFile, f.date(pricesDate)),
    t.cost.basis[volume.basis],
    volume.peakToMean > 1 && t.cost.peak(f.number(volume.peakToMean)),
  );
}

function leftOut(page: Page, { inputs }: TrialCost): Markup | null {
  if (inputs.leftOut.length === 0) return null;
  return html`${
    inputs.leftOut.map(({ name, reason }) => paragraph(page, page.t.cost.leftOut(name, reason)))
  }`;
}

function monthTable(page: Page, { inputs, outputs }: TrialCost): Markup {
  const { t, f, money } = page;
  const least = Math.min(...outputs.options.map(({ month }) => month.total));
  const amount = (value: number) => value === 0 ? f.number(null) : money(value);
  const rows = outputs.options.map(({ id, month, perMillionAtVolume }) => {
    const option = inputs.options.find((each) => each.id === id)!;
    const { hardware, maintenance, energy, rack, staff, rent, tokens, total } = month;
    const mark = total === least && html`
      <span class="least">${t.cost.cheapest}</span>
    `;
    return [
      html`${option.name}${basisOf(page, option)}`,
      month.machines === 0 ? f.number(null) : f.count(month.machines),
      amount(hardware + maintenance),
      energyCell(page, option, energy),
      amount(rack + staff),
      amount(rent + tokens),
      html`<b>${money(total)}</b>${mark}`,
      money(perMillionAtVolume),
    ];
  });
  return table(t.cost.columns, rows, { caption: t.cost.table });
}

/** What of an option was not measured. */
function basisOf(page: Page, option: CostOption): Content {
  if (option.kind === "api") return null;
  const { basis } = option.capacity;
  return html`<br><small class="${isAssumed(option) ? "assumed" : ""}">${
    page.t.cost.capacity[basis]
  }</small>`;
}

function energyCell(page: Page, option: CostOption, energy: MonthlyCost["energy"]): Content {
  if (option.kind !== "own") return page.f.number(null);
  const amount = page.money(energy);
  return option.power.basis === "estimated" ? html`≈ ${amount}${badge("estimated", page)}` : amount;
}

function breakEvenTable(page: Page, { inputs, outputs }: TrialCost): Markup | null {
  const { t, f } = page;
  if (outputs.breakEvens.length === 0) return null;
  const name = (id: string) => inputs.options.find((option) => option.id === id)!.name;
  const volume = (requests: number | null) =>
    requests === null
      ? t.cost.never
      : requests < 1
      ? t.cost.fromStart
      : f.count(Number(requests.toPrecision(3)));
  return html`<h3>${t.cost.breakEvens}</h3>${paragraph(page, t.cost.breakEvenIntro)}${
    table(
      t.cost.breakEvenColumns,
      outputs.breakEvens.map(({ cheapAtFirst, other, firstRequests, alwaysRequests }) => [
        name(cheapAtFirst),
        name(other),
        volume(firstRequests),
        volume(alwaysRequests),
      ]),
      { textColumns: [1] },
    )
  }`;
}
