/** docs/claims.md and its picture. @module */

import { formatFigure } from "../../src/cli/units.ts";
import { type ClaimResult, factorOf, median, spreadOf } from "./result.ts";

const PILLARS: Readonly<Record<string, string>> = {
  "instruction set":
    "The same file on the same threads. Off is x86-64-v2 as a compiler makes it: a multiplication and an addition where the kernels have a fused one, SSE where LLVM finds a use for it (`zig build lib-plain`, for this benchmark alone).",
  "batching": "Off: `--sequences-max 1`.",
  "KV cache on demand":
    "Memory for four requests of 2,048 tokens. Off: four requests at once, as if each reserved its longest.",
  "workers and threads":
    "One thread is off. Two workers read the weights twice for the same tokens, and do not wait for one another.",
  "latency classes":
    "Six urgent requests one after the other beside twelve bulk ones. The factor is how many times sooner the first token of the urgent ones is there.",
  "prefix sharing": "Twelve requests that begin alike, after one that did. Off: `--no-prefix-cache`.",
  "all together":
    "The first condition is as near as kumi comes to a framework that answers one request at a time with weights in BF16.",
};

/** The page. Results without a place on it come last; what was not measured is said. */
export function renderPage(results: readonly ClaimResult[], picture: string): string {
  const pillars = [...new Set([...Object.keys(PILLARS), ...results.map(({ pillar }) => pillar)])];
  const machines = [...new Set(results.map(({ processor, date }) => `${processor}, ${date}`))];
  return `# What each pillar brings

The engine rests on three claims: instruction sets used to the limit, batching that does not hurt latency, memory on demand. A
publication has put the sum of such measures at 18 to 22 times. This page switches each off in turn.

${machines.length === 0 ? "No figures have been taken yet." : `Measured on: ${machines.join("; ")}.`}

${results.length === 0 ? "" : `![Factors of each pillar](${picture})\n`}
${
    pillars.map((pillar) => renderPillar(pillar, results.filter((each) => each.pillar === pillar))).join(
      "\n\n",
    )
  }

## Beside the published 18 to 22 times

A factor is a quotient: what stands below it decides as much as what stands above. Batching and fewer bits a weight multiply each other,
since the weights are read once for all requests of a batch and there are fewer bytes of them; so a factor beside one request at a time with
weights in BF16 is the largest that there is. ${published(results)}

Beside a program that batches, quantises and uses the processor's instructions, too, the factor is another one:
[llama.cpp in the same run](figures.md), and [serving beside llama-server](figures.md#serving-many-requests). There PyTorch in BF16, one request
at a time, stands beside kumi's batches, too. Whoever reads such a factor should ask four things: how many requests at once, which weights,
which instructions, how long the requests were.

## Again

\`\`\`sh
deno task run bench/claims.ts --results docs/claims.json            # all, about nine minutes
deno task run bench/claims.ts --results docs/claims.json --only batching --models smollm2
deno task run bench/claims.ts --results docs/claims.json --page     # only writes this page of what is there
\`\`\`

The conditions of a line took turns; figures are medians.
`;
}

/** What the baseline of a published factor may have been, in this machine's own figures. */
function published(results: readonly ClaimResult[]): string {
  const sums = results.filter(({ pillar }) => pillar === "all together").map((result) => {
    const last = result.conditions[result.conditions.length - 1];
    const [framework, best] = result.conditions;
    const over = (below: typeof last) => `${(median(last.values) / median(below.values)).toFixed(1)}`;
    return `with ${result.load}, ${last.name} is ${over(framework)} times ${framework.name}, and ${
      over(best)
    } times ${best.name}`;
  });
  return sums.length === 0 ? "" : `Here, ${sums.join("; ")}.`;
}

function renderPillar(pillar: string, results: readonly ClaimResult[]): string {
  if (results.length === 0) return `## ${title(pillar)}\n\nNot measured here.`;
  const rows = results.flatMap((result) =>
    result.conditions.map((condition, i) => {
      const spread = spreadOf(result);
      return [
        i === 0 ? result.model : "",
        i === 0 ? result.load : "",
        condition.name,
        `${formatFigure(median(condition.values))}${i === 0 ? ` ${shortUnit(result.unit)}` : ""}`,
        i === 0 ? "1" : `${factorOf(result, condition).toFixed(2)}×`,
        i === 0 && spread !== null ? `${(100 * spread).toFixed(0)} %` : "",
      ];
    })
  );
  const head = ["model", "load", "condition", "", "factor", "equal runs differ by"];
  const lines = [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  return `## ${title(pillar)}\n\n${PILLARS[pillar] ?? ""}\n\n${lines.join("\n")}`;
}

function shortUnit(unit: string): string {
  return unit.split(":")[0];
}

function title(pillar: string): string {
  return pillar[0].toUpperCase() + pillar.slice(1);
}

const ROW = 18, LEFT = 520, WIDTH = 1080, RIGHT = 60, TOP = 28;
const COLORS = ["#7a8896", "#0a7", "#06c", "#c60", "#808"];

/** A bar for each condition that is not off, from 1 on, on a logarithmic axis. */
export function renderPicture(results: readonly ClaimResult[]): string {
  const bars = results.flatMap((result) =>
    result.conditions.slice(1).map((condition, i) => ({
      label: `${result.pillar}: ${result.model}, ${result.load}, ${condition.name}`,
      factor: factorOf(result, condition),
      color: COLORS[(i + 1) % COLORS.length],
      isFirst: i === 0,
    }))
  );
  const [low, high] = [
    Math.min(0.5, ...bars.map(({ factor }) => factor)),
    Math.max(32, ...bars.map(({ factor }) => factor)),
  ];
  const x = (factor: number) => LEFT + (WIDTH - LEFT - RIGHT) * Math.log(factor / low) / Math.log(high / low);
  const height = TOP + bars.length * ROW + 24;
  const ticks = [0.5, 1, 2, 4, 8, 16, 32, 64].filter((tick) => tick >= low && tick <= high);
  const grid = ticks.map((tick) =>
    `<line x1="${x(tick).toFixed(1)}" x2="${x(tick).toFixed(1)}" y1="${TOP - 6}" y2="${
      height - 20
    }" stroke="${tick === 1 ? "#333" : "#ddd"}"/><text x="${x(tick).toFixed(1)}" y="${
      height - 6
    }" text-anchor="middle">${tick}×</text>`
  );
  const rows = bars.map(({ label, factor, color }, i) => {
    const y = TOP + i * ROW;
    const [from, to] = [Math.min(x(1), x(factor)), Math.max(x(1), x(factor))];
    return `<text x="${LEFT - 8}" y="${y + 12}" text-anchor="end">${escapeXml(label)}</text>` +
      `<rect x="${from.toFixed(1)}" y="${y + 3}" width="${Math.max(1, to - from).toFixed(1)}" height="${
        ROW - 6
      }" fill="${color}"/>` +
      `<text x="${(to + 5).toFixed(1)}" y="${y + 12}">${factor.toFixed(2)}×</text>`;
  });
  const band = `<rect x="${x(18).toFixed(1)}" y="${TOP - 6}" width="${(x(22) - x(18)).toFixed(1)}" height="${
    height - TOP - 14
  }" fill="#fe8" opacity="0.6"/><text x="${((x(18) + x(22)) / 2).toFixed(1)}" y="${
    TOP - 12
  }" text-anchor="middle">published: 18–22×</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="10">` +
    `<rect width="100%" height="100%" fill="#fff"/>${band}${grid.join("")}${rows.join("")}</svg>\n`;
}

function escapeXml(text: string): string {
  return text.replace(/[<>&"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
}
