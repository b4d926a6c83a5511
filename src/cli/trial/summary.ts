/** A trial's result as a terminal shows it. @module */

import type { ClassMeasures, TrialNote, TrialReport } from "../../trial/report_data.ts";
import { STOLEN } from "../../trial/noise.ts";
import { renderTrialRouting } from "../routes_report.ts";
import { renderTable } from "../table.ts";
import { formatFigure } from "../units.ts";
import { oneLine } from "../../process/harmless.ts";

/** The verdict, the point, what it carries, and what a reader has to know. */
export function renderTrial(report: TrialReport): string {
  const { chosen, machine, model, notes, verdict } = report;
  const parts = [
    `${oneLine(model.name)} (${model.quantisation}) on ${
      oneLine(machine.processor ?? machine.arch)
    }, ${machine.level}`,
    verdictLine(report),
  ];
  if (chosen !== null) {
    const { settings, measures } = chosen;
    parts.push(renderTable(["setting", "value"], [
      ["workers × threads", `${settings.workers} × ${settings.threads}`],
      ...settings.cpus === null ? [] : [["CPUs", settings.cpus]],
      ["sequences at once", `${settings.sequencesMax}`],
      ["tokens a step", `${settings.batchTokens}`],
      ["wait for company", `${settings.maxWaitMs} ms`],
      ["KV cache", `${settings.kvTokens} tokens, ${settings.kvFormat}`],
      ["prefix cache", settings.prefixCache ? "on" : "off"],
    ]));
    parts.push(renderTable(
      ["", "requests", "TTFT p50", "p95 ms", "ITL p50", "p95 ms", "tokens out/s", "good", "good/s"],
      (measures.classes.length > 1 ? [measures.all, ...measures.classes] : [measures.all]).map(classRow),
    ));
    const same = chosen.equals.length;
    if (same > 0) {
      parts.push(`${same} other ${same === 1 ? "point" : "points"} cannot be told from this one.`);
    }
  }
  if (report.routing != null) parts.push(renderTrialRouting(report.routing));
  const stolen = report.noise.stolenShare ?? 0;
  const others = stolen < STOLEN
    ? []
    : [`other programs had ${(100 * stolen).toFixed(0)} % of the CPUs meanwhile`];
  parts.push([...notes.map(noteLine), ...others, ...verdict.next.map((each) => `next: ${each}`)].join("\n"));
  return parts.join("\n\n");
}

function classRow(each: ClassMeasures): string[] {
  const ms = (value: number | null) => value === null ? "-" : value.toFixed(value < 10 ? 1 : 0);
  return [
    each.class,
    `${each.requests}`,
    ms(each.ttftMs.p50),
    ms(each.ttftMs.p95),
    ms(each.itlMs.p50),
    ms(each.itlMs.p95),
    formatFigure(each.answerTokensPerSecond),
    each.goodShare === null ? "-" : `${(100 * each.goodShare).toFixed(1)} %`,
    formatFigure(each.goodPerSecond),
  ];
}

function verdictLine({ chosen, objectives, verdict, traffic }: TrialReport): string {
  const share = `${(100 * objectives.share).toFixed(0)} % of the requests`;
  const load = chosen?.highestLoad;
  if (load === undefined || load.requestsPerSecond === null) {
    const lowest = Math.min(...load?.tries.map(({ requestsPerSecond }) => requestsPerSecond) ?? []);
    const at = Number.isFinite(lowest) ? ` even at ${formatFigure(lowest)} requests/s` : "";
    const elsewhere = verdict.classesElsewhere.length > 0
      ? `; it is ${verdict.classesElsewhere.join(", ")} that cannot be kept`
      : "";
    return `No: the objectives do not hold for ${share}${at}${elsewhere}.`;
  }
  const users = load.users === null ? "" : `, ${load.users} users`;
  const machines = verdict.machines === null
    ? ""
    : ` ${formatFigure(traffic.peakRequestsPerSecond!)} requests/s take ${verdict.machines} ${
      verdict.machines === 1 ? "machine" : "machines"
    } like this.`;
  const limits = traffic.promptLimits.map(({ class: name, tokens, share, ttftMsForAll }) =>
    `Only for prompts of ${name} up to ${tokens} tokens: ${
      (100 * share).toFixed(0)
    } % of all requests have longer ones, which take more than half of their time to first token even alone; ttft=${
      (ttftMsForAll / 1000).toFixed(0)
    }s would do for nearly all.\n`
  ).join("");
  return `${limits}Up to ${
    formatFigure(load.requestsPerSecond)
  } requests/s${users}: ${share} keep their objectives.${machines}`;
}

/** A note in words. */
export function noteLine(note: TrialNote): string {
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  switch (note.note) {
    case "noisy":
      return `noisy machine: equal runs differ by ${percent(note.spread)}; repeat when nothing else runs`;
    case "busy before":
      return `the machine was busy before (load average ${note.load.toFixed(1)})`;
    case "budget short":
      return `the budget had time for ${note.measured} of ${note.planned} points`;
    case "few requests":
      return `percentiles are of ${note.requests} requests only`;
    case "long prompts left out":
      return `all figures leave out ${percent(note.share)} of the requests, whose prompts are longer`;
    case "generator late":
      return `the load generator was ${note.p99Ms.toFixed(0)} ms late at p99: times are too long by as much`;
    case "energy estimated":
      return "energy is estimated from the TDP, not measured";
    case "energy not measured":
      return `energy was not measured: ${oneLine(note.why)}`;
    case "quality not tested":
      return "quality was not tested: see --eval";
    case "synthetic traffic":
      return `the profile ${note.profile} is nobody's traffic: see --traffic`;
    case "requests cut to the context":
      return `${percent(note.share)} of the requests were cut to the model's context`;
    case "spending cap reached":
      return `the cap on tokens ended the load at ${note.url} early`;
    case "random weights":
      return "the model has random weights: its answers mean nothing";
    case "container limits":
      return `a control group grants ${note.cpuQuota} CPUs' worth of time`;
  }
}
