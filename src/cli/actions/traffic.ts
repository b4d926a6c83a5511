/** What `kumi traffic` does. @module */

import { describeTraffic } from "../../traffic/describe.ts";
import { drawTraffic, trafficPage } from "../../traffic/draw.ts";
import { readTraffic } from "../../traffic/read.ts";
import { FORMAT_NAMES, type Traffic, TRAFFIC_FORMATS, type TrafficFormat } from "../../traffic/traffic.ts";
import { writeTraffic } from "../../traffic/write.ts";
import { printLine, printNote } from "../../process/print.ts";
import { type Arguments, choiceOption, UsageError } from "../command.ts";
import { counted } from "../counted.ts";
import { readNamed, writeNamed } from "../named_file.ts";
import { checkNew } from "../new_file.ts";
import { noteSkipped } from "../skipped_lines.ts";
import { renderTraffic } from "../traffic_report.ts";

/** Imports or describes traffic. */
export async function runTraffic(args: Arguments): Promise<number> {
  const [what, path] = args.positional;
  if (what === "import") return await importTraffic(args, path);
  if (what === "describe") return await describe(args, path);
  throw new UsageError(`traffic takes import or describe, current value is ${what}`);
}

async function importTraffic(args: Arguments, path: string): Promise<number> {
  const output = args.values.get("output");
  if (output === undefined) throw new UsageError("traffic import needs --output OUT");
  await checkNew(args, output);
  const traffic = await read(args, path);
  await writeNamed(output, ReadableStream.from(writeTraffic(traffic)), "output");
  const { requests, refused, skipped, format } = traffic;
  const left = [
    ...refused > 0 ? [`${counted(refused, "refused request")} without lengths left out`] : [],
    ...skipped.length > 0 ? [`${counted(skipped.length, "line")} left out`] : [],
  ];
  printNote(
    `kumi: ${counted(requests.length, "request")} of ${FORMAT_NAMES[format]} written to ${output}${
      left.map((part) => `; ${part}`).join("")
    }`,
  );
  return 0;
}

async function describe(args: Arguments, path: string): Promise<number> {
  const traffic = await read(args, path);
  const summary = describeTraffic(traffic);
  const tables = renderTraffic(summary);
  const svg = args.values.get("svg"), html = args.values.get("html");
  if (svg !== undefined) await writeNamed(svg, drawTraffic(traffic, summary), "svg");
  if (html !== undefined) {
    const title = `Traffic of ${path.split(/[\\/]/).at(-1)}`;
    await writeNamed(html, trafficPage(title, tables, drawTraffic(traffic, summary)), "html");
  }
  printLine(args.switches.has("json") ? JSON.stringify(summary) : tables.join("\n\n"));
  return 0;
}

async function read(args: Arguments, path: string): Promise<Traffic> {
  const format = choiceOption(args, "format", TRAFFIC_FORMATS)?.toLowerCase() as TrafficFormat | undefined;
  const text = await readNamed(path);
  try {
    const traffic = readTraffic(text, { format });
    noteSkipped(traffic);
    return traffic;
  } catch (error) {
    if (error instanceof RangeError) throw new Error(`${path}: ${error.message}`);
    throw error;
  }
}
