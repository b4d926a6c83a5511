import type { Health, ModelStats, WorkerStats } from "../../client/client.ts";
import type { HistogramFigures } from "../../protocol/histogram.ts";
import type { FittedStepTime, PhaseFigures } from "../../protocol/stats.ts";
import type { Labels, MetricsText, MetricType } from "./exposition.ts";

type Read = (worker: WorkerStats) => number | undefined;

/** A coefficient of the fit that planning uses. */
function fitted(
  name: string,
  what: string,
  readMs: (fit: FittedStepTime) => number,
): [name: string, type: MetricType, help: string, read: Read][] {
  const read: Read = ({ stepTime: { fit } }) => fit === null ? undefined : readMs(fit) / 1000;
  return [[name, "gauge", `Time ${what}, as fitted for planning.`, read]];
}

/** One sample for each worker. */
const FIGURES: readonly (readonly [name: string, type: MetricType, help: string, read: Read])[] = [
  [
    "vllm:kv_cache_usage_perc",
    "gauge",
    "Share of the KV cache's blocks that sequences hold, from 0 to 1.",
    ({ kv }) => (kv.allocatedBytes - kv.cachedBytes) / kv.reservedBytes,
  ],
  [
    "vllm:prefix_cache_queries_total",
    "counter",
    "Tokens of prompts that were looked up in the prefix cache, of requests that have ended.",
    ({ promptTokens }) => promptTokens,
  ],
  [
    "vllm:prefix_cache_hits_total",
    "counter",
    "Those of them that it had.",
    ({ cachedTokens }) => cachedTokens,
  ],
  [
    "vllm:num_preemptions_total",
    "counter",
    "Sequences that gave their KV blocks up and were computed again.",
    ({ preemptions }) => preemptions,
  ],
  [
    "kumi:computed_tokens_total",
    "counter",
    "Tokens that steps have computed, again where they had to.",
    ({ computedTokens }) => computedTokens,
  ],
  [
    "vllm:spec_decode_num_draft_tokens_total",
    "counter",
    "Tokens that were guessed ahead and checked.",
    ({ draftTokens }) => draftTokens,
  ],
  [
    "vllm:spec_decode_num_accepted_tokens_total",
    "counter",
    "Those of them that were right.",
    ({ acceptedTokens }) => acceptedTokens,
  ],
  ...fitted("kumi:step_fit_fixed_seconds", "of a step whatever is in it", (fit) => fit.fixedMs),
  ...fitted(
    "kumi:step_fit_seconds_per_kv_entry",
    "that each token looked back at adds",
    (fit) => fit.msPerKvEntry,
  ),
  ...fitted("kumi:step_fit_seconds_per_row", "that choosing a token adds", (fit) => fit.msPerRow),
  ["kumi:step_fit_error_ratio", "gauge", "Typical error of that for one step.", (
    { stepTime: { fit } },
  ) => fit?.relativeError],
  ["kumi:step_fit_stretch_ratio", "gauge", "Time of many steps over what that says of each.", (
    { stepTime: { fit } },
  ) => fit?.stretch],
  ["kumi:step_stretch_ratio", "gauge", "Time of many steps over what was expected of each.", (
    { stepTime },
  ) => stepTime.stretch],
  [
    "kumi:step_gap_seconds",
    "gauge",
    "Time between two steps, whatever was in them.",
    ({ stepTime }) => stepTime.betweenMs / 1000,
  ],
  [
    "kumi:step_gap_seconds_per_sequence",
    "gauge",
    "Time between two steps for each sequence.",
    ({ stepTime }) => stepTime.betweenMsPerSequence / 1000,
  ],
  [
    "kumi:step_prediction_error_ratio",
    "gauge",
    "Typical error of what is expected of a step.",
    ({ stepTime }) => stepTime.relativeError,
  ],
  [
    "kumi:kv_max_length_reservation_bytes",
    "gauge",
    "What the sequences would take if each had reserved the longest one.",
    ({ kv }) => kv.maxLengthReservationBytes,
  ],
  ["kumi:kv_reserved_bytes", "gauge", "Address space of the KV cache.", ({ kv }) => kv.reservedBytes],
  ["kumi:kv_committed_bytes", "gauge", "Memory behind it.", ({ kv }) => kv.committedBytes],
  [
    "kumi:kv_allocated_bytes",
    "gauge",
    "Blocks that sequences hold or the prefix cache keeps.",
    ({ kv }) => kv.allocatedBytes,
  ],
  ["kumi:kv_used_bytes", "gauge", "Tokens stored in them.", ({ kv }) => kv.usedBytes],
  ["kumi:kv_cached_bytes", "gauge", "Blocks that only the prefix cache keeps.", ({ kv }) => kv.cachedBytes],
  [
    "kumi:prefix_store_waiting",
    "gauge",
    "Stretches of prompts that wait to be stored.",
    ({ prefixStore }) => prefixStore?.waiting,
  ],
  [
    "kumi:prefix_store_stored_tokens_total",
    "counter",
    "Tokens of prompts that were stored.",
    ({ prefixStore }) => prefixStore?.storedTokens,
  ],
  [
    "kumi:prefix_store_restored_tokens_total",
    "counter",
    "Tokens of prompts that were read back instead of computed.",
    ({ prefixStore }) => prefixStore?.restoredTokens,
  ],
  [
    "kumi:prefix_store_problems_total",
    "counter",
    "Files that were not used, and writes that failed.",
    ({ prefixStore }) => prefixStore?.problems,
  ],
  [
    "kumi:kv_internal_fragmentation_ratio",
    "gauge",
    "Share of the allocated bytes that hold no token.",
    ({ kv }) => kv.internalFragmentation,
  ],
  [
    "kumi:kv_external_fragmentation_ratio",
    "gauge",
    "Share of the free blocks that are not in the longest free stretch.",
    ({ kv }) => kv.externalFragmentation,
  ],
  ["kumi:kv_sequences", "gauge", "Sequences that hold blocks.", ({ kv }) => kv.sequences],
  [
    "kumi:state_bytes",
    "gauge",
    "Memory of the KV cache that states of sequences and snapshots of them have.",
    ({ kv }) => kv.states?.usedBytes,
  ],
  [
    "kumi:state_snapshots",
    "gauge",
    "States that the prefix cache keeps.",
    ({ kv }) => kv.states?.snapshots,
  ],
  [
    "kumi:state_snapshots_total",
    "counter",
    "States that the prefix cache has kept.",
    ({ kv }) => kv.states?.kept,
  ],
  [
    "kumi:state_snapshot_hits_total",
    "counter",
    "Sequences that went on from such a state.",
    ({ kv }) => kv.states?.hits,
  ],
  [
    "kumi:state_lost_tokens_total",
    "counter",
    "Tokens whose blocks were known, but that were computed again for lack of a state.",
    ({ kv }) => kv.states?.lostTokens,
  ],
  ["kumi:kv_runs", "gauge", "Runs of adjacent blocks among them all.", ({ kv }) => kv.runs],
];

/** What the workers say of themselves. */
export function writeEngineStats(text: MetricsText, { workers }: ModelStats): void {
  writeQueues(text, workers);
  writeWork(text, workers);
  for (const [name, type, help, read] of FIGURES) {
    text.family(name, type, help);
    for (const worker of workers) {
      const value = read(worker);
      if (value !== undefined) text.sample(value, labels(worker));
    }
  }
  writeTokenTime(text, workers);
  const histogram = (name: string, help: string, read: (worker: WorkerStats) => HistogramFigures) => {
    text.family(name, "histogram", help);
    for (const worker of workers) text.histogram(read(worker), labels(worker));
  };
  histogram("vllm:iteration_tokens_total", "Tokens of a step.", (worker) => worker.stepHistograms.tokens);
  histogram("kumi:step_sequences", "Sequences of a step.", (worker) => worker.stepHistograms.sequences);
  histogram(
    "kumi:step_time_seconds",
    "Time of a step.",
    (worker) => inSeconds(worker.stepHistograms.ms),
  );
}

function writeQueues(text: MetricsText, workers: readonly WorkerStats[]): void {
  const queues = (name: string, help: string, read: (each: WorkerStats["classes"][number]) => number) => {
    text.family(name, "gauge", help);
    for (const worker of workers) {
      for (const each of worker.classes) text.sample(read(each), { ...labels(worker), class: each.name });
    }
  };
  queues("vllm:num_requests_running", "Requests that have begun and not ended.", (each) => each.running);
  queues("vllm:num_requests_waiting", "Requests that have not begun.", (each) => each.waiting);
  queues("kumi:waiting_tokens", "Tokens of their prompts.", (each) => each.waitingTokens);
}

/** What a token adds to a step is another for the first few: a sample for each stretch, by the token with which it begins. */
function writeTokenTime(text: MetricsText, workers: readonly WorkerStats[]): void {
  text.family(
    "kumi:step_fit_seconds_per_token",
    "gauge",
    "Time that each token adds from this one on, as fitted for planning.",
  );
  for (const worker of workers) {
    const { fit } = worker.stepTime;
    if (fit === null) continue;
    const ends = [...fit.bends, { upTo: Infinity, msPerToken: fit.msPerToken }];
    ends.forEach(({ msPerToken }, i) => {
      const from = i === 0 ? 1 : ends[i - 1].upTo + 1;
      text.sample(msPerToken / 1000, { ...labels(worker), from: `${from}` });
    });
  }
}

/** What the steps did for each class, for prompts and for answers: energy goes with it. */
function writeWork(text: MetricsText, workers: readonly WorkerStats[]): void {
  const phases = (
    name: string,
    help: string,
    read: (work: PhaseFigures) => [prefill: number, decode: number],
  ) => {
    text.family(name, "counter", help);
    for (const worker of workers) {
      for (const { name: latencyClass, work } of worker.classes) {
        const [prefill, decode] = read(work);
        const label = { ...labels(worker), class: latencyClass };
        text.sample(prefill, { ...label, phase: "prefill" }).sample(decode, { ...label, phase: "decode" });
      }
    }
  };
  phases("kumi:phase_seconds_total", "Share of the steps' time.", ({ prefillMs, decodeMs }) => [
    prefillMs / 1000,
    decodeMs / 1000,
  ]);
  phases("kumi:phase_tokens_total", "Tokens that steps computed.", (work) => [
    work.prefillTokens,
    work.decodeTokens,
  ]);
}

function labels({ worker }: WorkerStats): Labels {
  return { engine: `${worker}` };
}

function inSeconds({ bounds, counts, sum }: HistogramFigures): HistogramFigures {
  return { bounds: bounds.map((ms) => ms / 1000), counts, sum: sum / 1000 };
}

/** What can be told without asking a worker. */
export function writeHealth(text: MetricsText, health: Health): void {
  text.family("kumi:ready", "gauge", "1 where requests can be served.").sample(health.ready ? 1 : 0);
  text.family("kumi:worker_restarts_total", "counter", "Workers that took the place of others.")
    .sample(health.restarts);
  text.family("kumi:worker_state", "gauge", "1 for the state that a worker is in.");
  health.workers.forEach(({ state }, i) => text.sample(1, { engine: `${i}`, state }));
  text.family("kumi:worker_silent_seconds", "gauge", "Time without a sign of life where one is expected.");
  health.workers.forEach(({ silentMs }, i) => text.sample(silentMs / 1000, { engine: `${i}` }));
}
