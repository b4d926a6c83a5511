import { assertEquals } from "@std/assert";
import { FrameReader } from "../protocol/frames.ts";
import type { FromEngine } from "../protocol/messages.ts";
import { FromProcess, readClone, readIds } from "../protocol/process_messages.ts";
import { ProcessVoice } from "./process_host.ts";

/** A voice, and the frames that it has written: kinds and what they hold. */
function listen() {
  const heard: [string, unknown?][] = [];
  const reader = new FrameReader((kind, payload) => {
    if (kind === FromProcess.step) heard.push(["step", readIds(payload)]);
    else if (kind === FromProcess.message) heard.push(["message", readClone(payload)]);
    else if (kind === FromProcess.messageAfterStep) heard.push(["end and message", readClone(payload)]);
    else if (kind === FromProcess.beat) heard.push(["beat"]);
    else heard.push([`${kind}`]);
  });
  return { voice: new ProcessVoice((frame) => reader.push(frame)), heard };
}

const MESSAGE: FromEngine = { type: "closed" };

Deno.test("ProcessVoice tells the end of a step with what it gave, and by itself where it gave nothing", async () => {
  const { voice, heard } = listen();
  voice.step([7, 2 ** 40]);
  voice.step([]);
  voice.post(MESSAGE);
  voice.post(MESSAGE);
  await Promise.resolve();
  assertEquals(heard.splice(0), [
    ["step", [7, 2 ** 40]],
    ["end and message", MESSAGE],
    ["message", MESSAGE],
  ]);
  voice.step([8]);
  voice.step([]);
  voice.step([]);
  await Promise.resolve();
  voice.post(MESSAGE);
  assertEquals(heard.splice(0), [["step", [8]], ["step", []], ["message", MESSAGE]]);
  // The next step says enough of the last one's end.
  voice.step([8]);
  voice.step([]);
  voice.step([9]);
  await Promise.resolve();
  assertEquals(heard, [["step", [8]], ["step", [9]]]);
});

Deno.test("ProcessVoice writes what JSON would lose, and few of many signs of life", () => {
  const { voice, heard } = listen();
  const embedding = new Float32Array([0.1, -0, NaN]);
  const told = { type: "reply", id: 1, value: { embedding, wait: Infinity } } as unknown as FromEngine;
  voice.post(told);
  for (let i = 0; i < 1000; i++) voice.beat();
  assertEquals(heard[0], ["message", told]);
  assertEquals(heard.slice(1).every(([kind]) => kind === "beat") && heard.length < 20, true);
});

Deno.test("ProcessVoice keeps numbers of matrices to its process", () => {
  const { voice, heard } = listen();
  voice.post({ type: "loaded", info: { vocab: 3 }, weights: { matrix: 17 } } as unknown as FromEngine);
  assertEquals(heard, [["message", { type: "loaded", info: { vocab: 3 }, weights: {} }]]);
});
