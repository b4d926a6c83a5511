/** What `kumi ps` does. @module */

import { printLine } from "../../process/print.ts";
import type { Arguments } from "../command.ts";
import { interruptible } from "../interrupt.ts";
import { askServer } from "../ask_server.ts";
import { renderTable } from "../table.ts";
import { formatBytes, formatDuration } from "../units.ts";

/** What of `/v1/models` is shown; a server may be another one than kumi. */
interface Told {
  readonly id?: unknown;
  readonly kumi?: {
    readonly state?: string;
    readonly memory_bytes?: number | null;
    readonly context_length?: number;
    readonly expires_at?: string | null;
    readonly requests?: { readonly running: number; readonly waiting: number };
    readonly problem?: string;
  };
}

const GONE = new Set(["unloaded", "failed"]);

export async function runPs(args: Arguments): Promise<number> {
  using interrupt = interruptible();
  const reply = await askServer(args, "/v1/models", { signal: interrupt.signal }) as { data?: unknown };
  if (!Array.isArray(reply?.data)) throw new Error("the server's /v1/models is no list of models");
  const all = reply.data as Told[];
  const isShown = ({ kumi }: Told) => args.switches.has("all") || !GONE.has(kumi?.state ?? "ready");
  const models = all.filter(isShown);
  if (args.switches.has("json")) {
    for (const model of models) printLine(JSON.stringify(model));
    return 0;
  }
  printLine(renderTable(["model", "state", "memory", "context", "requests", "leaves"], models.map(rowOf)));
  return 0;
}

function rowOf({ id, kumi = {} }: Told): string[] {
  const { state = "ready", memory_bytes: bytes, context_length, expires_at, requests, problem } = kumi;
  const isHere = !GONE.has(state) && state !== "waiting";
  return [
    String(id),
    problem === undefined || isHere ? state : `${state}: ${problem}`,
    isHere && typeof bytes === "number" ? formatBytes(bytes) : "",
    typeof context_length === "number" ? `${context_length}` : "",
    requests === undefined
      ? ""
      : `${requests.running}${requests.waiting > 0 ? `, ${requests.waiting} wait` : ""}`,
    kumi.state === undefined ? "never" : isHere ? leaves(expires_at, requests?.running ?? 0) : "",
  ];
}

function leaves(at: string | null | undefined, running: number): string {
  if (running > 0) return "not while in use";
  if (typeof at !== "string") return "when its room is needed";
  const ms = Date.parse(at) - Date.now();
  return ms > 0 ? `in ${formatDuration(ms)}` : "now";
}
