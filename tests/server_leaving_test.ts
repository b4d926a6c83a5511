/**
 * Clients that leave, in every phase of a request, and what is still computed for them. The long run, a table
 * of how many of 200 were computed to their ends: `deno task run tests/server_leaving_test.ts 200 [model
 * [phase]]`.
 */
import { assert, assertEquals } from "@std/assert";
import { DEFAULT_CLASSES } from "../scheduler/mod.ts";
import type { ServeOptions } from "../mod.ts";
import { renderTable } from "../src/cli/table.ts";
import {
  ANSWER,
  assertIdle,
  CHAT,
  ENDLESS,
  QUESTION,
  recorder,
  startServer,
  TEXT,
} from "./support/server.ts";

const encoder = new TextEncoder();

/** How a connection ends: what the client has not read makes the system reset it. */
type Way = "closes" | "resets";

/** What a client asks for and when it leaves. */
interface Phase {
  readonly name: string;
  readonly path?: string;
  readonly body?: Record<string, unknown>;
  /** Part of the request that is sent; default all. */
  readonly sends?: "some headers" | "half a body";
  /** Sends it twice at once on its connection. */
  readonly isPipelined?: boolean;
  /** Sends another request before it on its connection and reads the answer. */
  readonly isSecond?: boolean;
  /** Goes through somebody who closes what leads on when a client closes. */
  readonly isRelayed?: boolean;
  /** What each client waits for before it leaves. */
  readonly until?: "accepted" | "firstToken" | "finished";
  /** Answers of a request; one client at a time and one sequence at a time where there are several. */
  readonly answers?: number;
  readonly hasNoStream?: boolean;
}

const LONG = "A long story that goes on. ".repeat(40);
const PHASES: readonly Phase[] = [
  { name: "some of the headers", sends: "some headers" },
  { name: "half a body", sends: "half a body" },
  { name: "in the queue", body: { class: "patient" }, until: "accepted" },
  { name: "prefill", body: { prompt: LONG, max_tokens: 100 }, until: "accepted" },
  { name: "decode", until: "firstToken" },
  { name: "between two of n", body: { n: 4, max_tokens: 120 }, answers: 4, until: "finished" },
  {
    name: "embeddings",
    path: "/v1/embeddings",
    body: { input: Array.from({ length: 30 }, (_, i) => `${i} ${LONG}`) },
    answers: 30,
    until: "finished",
    hasNoStream: true,
  },
  { name: "second on its connection", isSecond: true, until: "firstToken" },
  { name: "two at once on a connection", isPipelined: true, until: "firstToken" },
  { name: "behind a relay", isRelayed: true, until: "firstToken" },
];
/** Clients that leave together, and sequences of the engine: all of them are computed at the same time. */
const TOGETHER = 4;
/**
 * Clients of the first start at once. Those of the second wait for company that does not come, and no more
 * may wait than come.
 */
const CLASSES = [
  { ...DEFAULT_CLASSES[1], name: "eager", maxWaitMs: 0 },
  {
    ...DEFAULT_CLASSES[1],
    name: "patient",
    maxBatch: 1e6,
    maxWaitMs: 3.6e6,
    queueLimit: { requests: TOGETHER, tokens: 1e6 },
  },
];

/** A server that tells how far requests are. */
async function startBed(together: number, options: ServeOptions = {}) {
  const { heard, observer } = recorder();
  const server = await startServer({
    observer,
    sequencesMax: together,
    batchTokensMax: 16,
    prefixCache: false,
    classes: [...DEFAULT_CLASSES, ...CLASSES],
    ...options,
  });
  const relay = startRelay(server.server.port);
  return {
    ...server,
    together,
    relayPort: relay.addr.port,
    count: (name: string) => heard.filter(([each]) => each === name).length,
    /** Answers that the engine has computed to their ends. */
    computed: async () => {
      const { workers } = await server.model.stats();
      return workers.flatMap(({ classes }) => classes).reduce(
        (sum, { finished: { stop, length } }) => sum + stop + length,
        0,
      );
    },
    connections: async () => {
      const metrics = await (await server.get("/metrics")).text();
      // Its own is one of them.
      return Number(/^kumi:connections\{[^}]*\} (\d+)$/m.exec(metrics)![1]) - 1;
    },
    forget: () => void heard.splice(0),
    [Symbol.asyncDispose]: async () => {
      relay.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

type Bed = Awaited<ReturnType<typeof startBed>>;

/** Passes bytes both ways and closes one side when the other has closed. */
function startRelay(port: number): Deno.TcpListener {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  void (async () => {
    for await (const client of listener) {
      const server = await Deno.connect({ hostname: "127.0.0.1", port });
      const end = () => {
        for (const conn of [client, server]) {
          try {
            conn.close();
          } catch {
            // The other way was the first.
          }
        }
      };
      const pass = async (from: Deno.Conn, to: Deno.Conn) => {
        const buffer = new Uint8Array(4096);
        for (let count; (count = await from.read(buffer)) !== null;) {
          await to.write(buffer.subarray(0, count));
        }
      };
      void pass(client, server).catch(() => {}).then(end);
      void pass(server, client).catch(() => {}).then(end);
    }
  })();
  return listener;
}

/**
 * Clients ask, leave when they are all as far as the phase says; gives how many requests were computed to
 * their ends for nobody.
 */
async function leave(bed: Bed, phase: Phase, stream: boolean, way: Way, clients: number): Promise<number> {
  bed.forget();
  const conns = await Promise.all(Array.from({ length: clients }, () => ask(bed, phase, stream, way)));
  const { until, answers = 1 } = phase;
  while (until !== undefined && bed.count(until) < clients) {
    assertEquals(bed.count("refused"), 0);
    await turn();
  }
  const [before, done] = [await bed.computed(), bed.count("finished")];
  for (const conn of conns) conn.close();
  await assertIdle(bed.model);
  while (await bed.connections() > 0) await turn();
  const after = await bed.computed();
  // Of several answers those that were nearly there may still have ended.
  return answers === 1 ? after - before : Number(after >= before + answers - done);
}

async function ask(bed: Bed, phase: Phase, stream: boolean, way: Way): Promise<Deno.TcpConn> {
  const { path = TEXT, body, sends, isPipelined, isRelayed, isSecond, hasNoStream } = phase;
  const json = JSON.stringify({
    class: "eager",
    ...path === TEXT ? ENDLESS : {},
    ...body,
    ...hasNoStream ? {} : { stream },
  });
  const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${json.length}\r\n\r\n`;
  const conn = await Deno.connect({
    hostname: "127.0.0.1",
    port: isRelayed ? bed.relayPort : bed.server.port,
  });
  conn.setNoDelay(true);
  const write = async (text: string) => {
    const bytes = encoder.encode(text);
    for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
  };
  if (isSecond || way === "resets") {
    await write("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
    if (way === "closes") await conn.read(new Uint8Array(1000));
  }
  if (sends === "some headers") await write(head.slice(0, 60));
  else {
    // As most clients do where the body is not small: the server sees the headers first.
    await write(head);
    await turn();
    if (sends === "half a body") await write(json.slice(0, 20));
    else await write(isPipelined ? json + head + json : json);
  }
  if (way === "closes") void readAll(conn);
  return conn;
}

async function readAll(conn: Deno.TcpConn): Promise<void> {
  try {
    for (const buffer = new Uint8Array(1 << 16); await conn.read(buffer) !== null;);
  } catch {
    // It is closed.
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

/** How many of `count` requests were computed on, by stream and way. */
async function measure(bed: Bed, phase: Phase, count: number, ways: readonly Way[]): Promise<number[]> {
  const columns: number[] = [];
  for (const stream of phase.hasNoStream ? [false] : [false, true]) {
    for (const way of ways) {
      let computed = 0;
      for (let left = count; left > 0; left -= bed.together) {
        computed += await leave(bed, phase, stream, way, Math.min(left, bed.together));
      }
      columns.push(computed);
    }
  }
  return columns;
}

for (const several of [false, true]) {
  const phases = PHASES.filter(({ answers }) => (answers !== undefined) === several);
  Deno.test(`clients that leave end their requests: ${phases.map(({ name }) => name).join(", ")}`, async () => {
    const together = several ? 1 : TOGETHER;
    await using bed = await startBed(together);
    for (const phase of phases) {
      const count = several ? 3 : together;
      for (const computed of await measure(bed, phase, count, ["closes"])) {
        // A busy machine may be faster with an answer than with the news that nobody wants it, but not each
        // time.
        assert(computed < count, `${phase.name}: ${computed} of ${count} were computed on`);
      }
    }
  });
}

Deno.test("a stream goes on for a client that has closed its side alone, and an answer without stream ends", async () => {
  await using server = await startServer();
  const send = async (body: Record<string, unknown>, split: boolean) => {
    const json = JSON.stringify({ messages: QUESTION, temperature: 0, ...body });
    const head = `POST ${CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${json.length}\r\n\r\n`;
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: server.server.port });
    for (const part of split ? [head, json] : [head + json]) {
      await conn.write(encoder.encode(part));
      await turn();
    }
    await conn.closeWrite();
    return await new Response(conn.readable).text();
  };
  for (const split of [false, true]) {
    const streamed = await send({ stream: true }, split);
    const text = streamed.matchAll(/"content":"([^"]*)"/g).map(([, part]) => part).toArray().join("");
    assertEquals(text, ANSWER);
    assert(streamed.includes("data: [DONE]"), streamed);
    const whole = await send({ ignore_eos: true, max_tokens: 400 }, split);
    assert(whole.startsWith("HTTP/1.1 499") && whole.includes('"client_left"'), whole);
  }
  await assertIdle(server.model);
});

if (import.meta.main && Deno.args.length > 0) {
  const count = Number(Deno.args[0]);
  const rows: string[][] = [];
  for (const phase of PHASES.filter(({ name }) => name.includes(Deno.args[2] ?? ""))) {
    await using bed = await startBed(phase.answers === undefined ? TOGETHER : 1, { model: Deno.args[1] });
    const columns = await measure(bed, phase, count, ["closes", "resets"]);
    rows.push([phase.name, ...columns.map((computed) => `${computed} of ${count}`)]);
    console.log(rows.at(-1)!.join(" | "));
  }
  console.log(
    renderTable(["phase", "plain, closes", "plain, resets", "stream, closes", "stream, resets"], rows),
  );
}
