/** What may be said in a meeting, each sentence with the part of the report that backs it. @module */

import type { TrialCost } from "../../report_data.ts";
import { html, type Markup } from "../markup.ts";
import { badge, type Page, section } from "../page.ts";
import { isAssumed } from "../plots/cost_plots.ts";

interface Sentence {
  readonly text: string;
  /** The section that backs it. */
  readonly id: string;
  readonly heading: string;
  readonly kind?: "estimated" | "predicted";
}

export function sentencesSection(page: Page): Markup {
  const { t } = page;
  const all = [
    ...capacitySentences(page),
    ...qualitySentences(page),
    ...costSentences(page),
    ...energySentences(page),
    ...trustSentences(page),
  ];
  return section(
    "sentences",
    t.sentences.title,
    html`
      <p>${t.sentences.intro}</p>
      <ul>${all.map(({ text, id, heading, kind }) =>
        html`<li>${page.rich(text)}${kind && badge(kind, page)} <a href="#${id}">→ ${heading}</a></li>`
      )}</ul>
    `,
  );
}

function capacitySentences({ report, t, f }: Page): Sentence[] {
  const { chosen, objectives, traffic, verdict, alternatives } = report;
  const load = chosen === null
    ? { id: "search", heading: t.search.title }
    : { id: "load", heading: t.load.title };
  const rate = chosen?.highestLoad.requestsPerSecond ?? null;
  const found: Sentence[] = [{
    ...load,
    text: rate === null
      ? t.sentences.carriesNothing
      : t.sentences.carries(f.number(rate), f.percent(objectives.share)),
  }];
  const peak = traffic.peakRequestsPerSecond ?? traffic.requestsPerSecond;
  if (peak !== null && verdict.machines !== null && verdict.utilisation !== null) {
    const [machines, utilisation] = [f.count(verdict.machines), f.percent(verdict.utilisation)];
    found.push({ ...load, text: t.sentences.machines(f.number(peak), machines, utilisation) });
  }
  const { p50 = null, p95 = null } = chosen?.measures.all.ttftMs ?? {};
  if (p50 === null || p95 === null) return found;
  found.push({ ...load, text: t.sentences.waits(f.seconds(p50), f.seconds(p95)) });
  for (const { model, measures } of alternatives) {
    const theirs = measures?.all.ttftMs.p50 ?? null;
    if (theirs === null) continue;
    const text = t.sentences.alternative(model, f.seconds(theirs), f.seconds(p50));
    found.push({ text, id: "alternatives", heading: t.alternatives.title });
  }
  return found;
}

function qualitySentences({ report: { quality }, t, f }: Page): Sentence[] {
  const place = { id: "quality", heading: t.quality.title };
  if (quality === null) return [{ ...place, text: t.sentences.qualityNone }];
  return quality.results.filter(({ graded }) => graded > 0).map(({ name, quantisation, passed, graded }) => ({
    ...place,
    text: t.sentences.quality(t.quality.here(name, quantisation), f.count(passed), f.count(graded)),
  }));
}

function costSentences(page: Page): Sentence[] {
  const { report: { cost }, t, f } = page;
  const place = { id: "cost", heading: t.cost.title };
  const [here] = cost?.inputs.options ?? [];
  if (cost === null || here === undefined) return [];
  const { inputs, outputs } = cost;
  const texts = [...comparisons(page, cost)];
  const [low, , high] = outputs.options[0].perMillion;
  if (here.kind !== "api") {
    const at = (each: typeof low) => [f.percent(each.utilisation), page.money(each.perMillion)] as const;
    texts.push(t.sentences.utilisation(here.name, ...at(low), ...at(high)));
  }
  const widest = outputs.sensitivity?.bars[0];
  if (widest !== undefined) texts.push(t.sentences.sensitivity(t.sensitivityInputs[widest.input]));
  if (inputs.sources.some(({ placeholder }) => placeholder)) texts.push(t.sentences.placeholders);
  return texts.map((text) => ({ ...place, text }));
}

/** The machine of the trial beside each other option: a month, and the break-even. */
function* comparisons({ t, f, money }: Page, { inputs, outputs }: TrialCost): Iterable<string> {
  const [here, ...others] = inputs.options;
  const nameOf = (id: string) => inputs.options.find((option) => option.id === id)!.name;
  const month = (id: string) => money(outputs.options.find((option) => option.id === id)!.month.total);
  const requests = f.words(inputs.volume.requestsPerMonth);
  for (const other of others) {
    const { id, name } = other;
    const text = t.sentences.cost(requests, here.name, month(here.id), name, month(id));
    yield isAssumed(other) ? `${text}${t.sentences.assumed(name)}` : text;
  }
  for (const { cheapAtFirst, other, firstRequests, alwaysRequests } of outputs.breakEvens) {
    if (cheapAtFirst !== here.id && other !== here.id) continue;
    const names = [nameOf(cheapAtFirst), nameOf(other)] as const;
    if (firstRequests === null) yield t.sentences.breakEvenNever(...names);
    else if (alwaysRequests !== null) {
      yield t.sentences.breakEven(...names, f.words(firstRequests), f.words(alwaysRequests));
    }
  }
}

function energySentences({ report: { energy: { measured, estimated } }, t, f }: Page): Sentence[] {
  const place = { id: "energy", heading: t.energy.title };
  if (measured !== null) {
    const { meanWatts, joulesPerToken } = measured;
    return [{
      ...place,
      text: t.sentences.energy(f.number(meanWatts), f.number(joulesPerToken.perAnswerToken)),
    }];
  }
  if (estimated === null) return [];
  return [{
    ...place,
    kind: "estimated",
    text: t.sentences.energyEstimated(f.number(estimated.estimatedWatts, 2)),
  }];
}

function trustSentences({ report: { predictions, noise }, t, f }: Page): Sentence[] {
  const most = predictions.filter(({ machines, load }) => machines !== null && load > 1).at(-1);
  const growth: Sentence[] = most === undefined ? [] : [{
    id: "capacity",
    heading: t.capacity.title,
    kind: "predicted",
    text: t.sentences.growth(f.number(most.load), f.count(most.machines)),
  }];
  return noise.throughputSpread === null ? growth : [...growth, {
    id: "method",
    heading: t.method.title,
    text: t.sentences.noise(f.percent(noise.throughputSpread, 1)),
  }];
}
