// The engine's worker, which dies with an error when it is about to report the step whose number its address
// gives.
import { EngineHost } from "../../src/engine/host.ts";
import type { FromEngine, ToEngine } from "../../src/protocol/messages.ts";

const scope = self as unknown as {
  postMessage(message: FromEngine): void;
  onmessage: ((event: MessageEvent<ToEngine>) => void) | null;
};

let steps = Number(new URL(import.meta.url).searchParams.get("steps"));

const host = new EngineHost((message) => {
  if (message.type === "step" && --steps === 0) throw new Error("mortal");
  scope.postMessage(message);
});
scope.onmessage = (event) => host.receive(event.data);
