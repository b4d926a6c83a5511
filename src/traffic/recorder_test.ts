import { assert, assertEquals, assertThrows } from "@std/assert";
import type { FinishedRequest } from "../server/observer.ts";
import { LineFile } from "./line_file.ts";
import { readTraffic } from "./read.ts";
import { TrafficRecorder } from "./recorder.ts";

const END: FinishedRequest = {
  reason: "stop",
  status: 200,
  promptTokens: 40,
  cachedTokens: 16,
  completionTokens: 5,
  e2eMs: 3,
};

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "kumi-record-" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("TrafficRecorder writes what requests were when they end, and goes on in the same file", () =>
  inFolder(async (folder) => {
    const path = `${folder}/traffic.jsonl`;
    const options = { bytesMax: 1e6, onProblem: (problem: string) => assert(false, problem) };
    let now = 1000;
    const clocks = { now: () => now, date: () => Date.parse("2026-01-01T00:00:00Z") + now - 1000 };
    const record = async () => {
      await using recorder = new TrafficRecorder(new LineFile(path, options), 16, clocks);
      assert(recorder.prefixHashKey.length >= 32);
      recorder.accepted({ id: "1", class: "batch", startedAt: now + 2.25, prefixHashes: ["aaa", "bbb"] });
      recorder.accepted({ id: "2", class: "interactive", startedAt: now + 5, prefixHashes: [] });
      recorder.accepted({ id: "3", class: "interactive", startedAt: now + 6 });
      recorder.refused({ id: "4", class: "interactive", reason: "queue_full", status: 429 });
      recorder.refused({ id: "5", class: "", reason: "invalid", status: 400 });
      recorder.finished("2", { ...END, isEmbedding: true, completionTokens: 1 });
      recorder.finished("1", END);
      recorder.finished("9", END);
      now += 10_000;
    };
    await record();
    // A crash has cut off a line.
    await Deno.writeTextFile(path, '{"at_ms":12,"cl', { append: true });
    await record();
    const { requests, refused, skipped } = readTraffic(await Deno.readTextFile(path));
    const first = {
      atMs: 2.25,
      class: "batch",
      promptTokens: 40,
      answerTokens: 5,
      cachedTokens: 16,
      blocks: [0, 1],
    };
    assertEquals(requests.map(({ atMs }) => atMs), [2.25, 5, 10_002.25, 10_005]);
    assertEquals(requests[0], first);
    assertEquals(requests[1], {
      atMs: 5,
      class: "interactive",
      promptTokens: 40,
      answerTokens: 0,
      cachedTokens: 16,
    });
    assertEquals([refused, skipped.length], [2, 1]);
  }));

Deno.test("LineFile keeps lines in order and begins anew at its size, with its head", () =>
  inFolder(async (folder) => {
    const path = `${folder}/lines`;
    {
      await using file = new LineFile(path, { bytesMax: 60, onProblem: (problem) => assert(false, problem) });
      file.begin("head");
      for (let i = 0; i < 10; i++) {
        file.push(`line ${i} of ten`);
        if (i % 4 === 3) await file.flush();
      }
    }
    const [old, young] = await Promise.all([`${path}.1`, path].map((each) => Deno.readTextFile(each)));
    const lines = [...old.trim().split("\n"), ...young.trim().split("\n")];
    assertEquals(lines.filter((line) => line === "head").length, 2);
    assertEquals([lines[0], young.split("\n")[0]], ["head", "head"]);
    assertEquals(lines.filter((line) => line !== "head").map((line) => Number(line[5])), [4, 5, 6, 7, 8, 9]);
  }));

Deno.test("LineFile takes no more than it has room for, and says so once where it cannot write", () =>
  inFolder(async (folder) => {
    const problems: string[] = [];
    const path = `${folder}/lines`;
    const options = { bytesMax: 30, waitingBytesMax: 40, onProblem: (line: string) => problems.push(line) };
    await using file = new LineFile(path, options);
    if (Deno.build.os !== "windows") {
      assertThrows(() => new LineFile(path, options), Error, "is being written by another process");
    }
    assertEquals(Array.from({ length: 5 }, () => file.push("0123456789")), [true, true, true, false, false]);
    await file.flush();
    assertEquals(file.push("again"), true);
    // It cannot be renamed over a folder.
    await Deno.remove(`${path}.1`);
    await Deno.mkdir(`${path}.1/in`, { recursive: true });
    file.push("0123456789012345678901234567");
    await file.flush();
    assertEquals([problems.length, file.push("more")], [1, false]);
  }));

Deno.test("TrafficRecorder counts the lines that found no room", async () => {
  const written: string[] = [];
  let hasRoom = true;
  const lines = {
    begin: (line: string) => void written.push(line),
    push: (line: string) => hasRoom && written.push(line) > 0,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  await using recorder = new TrafficRecorder(lines, 16);
  for (const [id, room] of [["a", true], ["b", false], ["c", false], ["d", true]] as const) {
    hasRoom = room;
    recorder.accepted({ id, class: "x" });
    recorder.finished(id, END);
  }
  assertEquals(written.slice(2).map((line) => JSON.parse(line).lost), [2, undefined]);
});
