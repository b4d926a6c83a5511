// The Web Worker that looks into a model's file: the thread of the server must not wait for it.
import { SPECULATING_MAX } from "../../../scheduler/mod.ts";
import { planWorkers } from "../../client/plan_workers.ts";
import { Kernels } from "../../ffi/context.ts";
import { parseCpuList } from "../../ffi/cpu_list.ts";
import { machineInfo } from "../../ffi/machine.ts";
import { giveWay } from "../../ffi/thread.ts";
import { type GgufFile, quantizedView } from "../../gguf/mod.ts";
import { wantsPredictor } from "../../protocol/engine_options.ts";
import { type MemoryNeed, memoryNeed } from "../../runner/memory_need.ts";
import { openModel } from "../../safetensors/open_model.ts";
import type { FromMeasurer, Measured, MeasuredOptions, MeasureRequest } from "./measure.ts";

const scope = self as unknown as {
  postMessage(message: FromMeasurer): void;
  onmessage: ((event: MessageEvent<MeasureRequest>) => void) | null;
};

// Those who generate have the processor first.
giveWay();

scope.onmessage = async ({ data }) => {
  try {
    scope.postMessage({ measured: await measured(data) });
  } catch (error) {
    scope.postMessage({ message: error instanceof Error ? error.message : String(error) });
  }
};

async function measured({ path, draftPath, options, limitBytes }: MeasureRequest): Promise<Measured> {
  const { libraryPath, isa, weights, sequencesMax } = options;
  const { availableBytes, nodes, usableCpus: usable } = machineInfo(libraryPath);
  using opening = new DisposableStack();
  let file: GgufFile = opening.use(await openModel(path));
  if (weights !== undefined) {
    const kernels = opening.use(Kernels.open({ threads: 1, isa, libraryPath, workspaceBytes: 64 }));
    ({ file } = quantizedView(file, weights, kernels));
  }
  const shares = sharesOf(options, { nodes, usable });
  const need = memoryNeed(file, {
    ...options,
    ...shares,
    ...sequencesMax === undefined ? {} : { logitsRowsMax: Math.max(32, sequencesMax) },
    limitBytes: limitBytes ?? availableBytes ?? Infinity,
    predicts: wantsPredictor({ speculation: options.speculation, draftPath }),
  });
  if (draftPath === undefined) return { need, availableBytes };
  const draft = opening.use(await openModel(draftPath));
  const { kvFormat } = options;
  const { workers } = shares;
  // It keeps only the answers that it guesses for.
  const kvTokens = SPECULATING_MAX * need.contextLength;
  const sizes = { kvFormat, kvTokens, logitsRowsMax: SPECULATING_MAX, workers, copies: workers };
  return { need: together(need, memoryNeed(draft, { ...sizes, limitBytes: Infinity })), availableBytes };
}

/** The sizes stay the first one's. */
function together(a: MemoryNeed, b: MemoryNeed): MemoryNeed {
  return {
    ...a,
    weightBytes: a.weightBytes + b.weightBytes,
    kvBytes: a.kvBytes + b.kvBytes,
    marginBytes: a.marginBytes + b.marginBytes,
    totalBytes: a.totalBytes + b.totalBytes,
  };
}

/** Workers, and copies of the weights among them. */
function sharesOf(
  { workers, threads, cpus: list, shareWeights = true }: MeasuredOptions,
  machine: Pick<Parameters<typeof planWorkers>[0], "nodes" | "usable">,
): { workers: number; copies: number } {
  const cpus = typeof list === "string" ? parseCpuList(list) : list;
  const plans = planWorkers({ ...machine, workers, threads, cpus });
  const nodes = new Set(plans.map(({ numaNode }) => numaNode)).size;
  const copies = shareWeights === false ? plans.length : shareWeights === "all" ? 1 : nodes;
  return { workers: plans.length, copies };
}
