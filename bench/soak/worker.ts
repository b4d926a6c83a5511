// The engine's worker, which also tells how much memory its isolate uses: the soak's child starts it in the
// place of the real one.
import "../../src/engine/worker.ts";
import { isolateFigures, type WorkerAnswer, type WorkerQuestion, writeSnapshot } from "./figures.ts";

const channel = new BroadcastChannel("kumi soak");
channel.onmessage = ({ data }: MessageEvent<WorkerQuestion>) => {
  if (data.snapshot !== undefined) writeSnapshot(data.snapshot);
  const answer: WorkerAnswer = { id: data.id, figures: isolateFigures() };
  channel.postMessage(answer);
};
