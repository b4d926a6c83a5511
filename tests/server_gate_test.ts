/**
 * The gate before the server: slow and large heads, too many connections, and bytes that pass as they are.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { connect } from "node:http2";
import { serve } from "../mod.ts";
import { Gate } from "../src/server/gate/gate.ts";
import { GATE_LIMITS, type GateLimits } from "../src/server/gate/limits.ts";
import { networkOf } from "../src/server/gate/address.ts";
import { beginsHead, hasHead, ignoreUpgrade } from "../src/server/gate/head.ts";
import { HALF_CLOSED } from "../src/server/presence.ts";
import { ANSWER, assertIdle, CHAT, ENDLESS, QUESTION, startServer, TEXT } from "./support/server.ts";

const encoder = new TextEncoder();

/** A gate with a handler behind it that tells what it got. */
async function withGate(limits: Partial<GateLimits>, use: (gate: Gate) => Promise<void>): Promise<void> {
  const gate: Gate = new Gate(
    { hostname: "127.0.0.1", port: 0 },
    { ...GATE_LIMITS, ...limits },
    async (request): Promise<Response> => {
      const { pathname } = new URL(request.url);
      if (pathname === "/early") return new Response("early");
      if (pathname === "/refuse") {
        return new Response("no", { status: 413, headers: { connection: "close" } });
      }
      const body = await request.arrayBuffer().catch(() => null);
      if (body === null) return new Response(null, { status: 400 });
      if (pathname === "/arrive") gate.arrive(request);
      const left = gate.left(request)!;
      while (pathname === "/arrive" && !left.aborted) await turn();
      if (left.aborted) return new Response(`left: ${left.reason === HALF_CLOSED ? "half" : "wholly"}.`);
      if (pathname === "/echo") return new Response(body);
      return Response.json({ pathname, bytes: body.byteLength });
    },
  );
  try {
    await use(gate);
  } finally {
    gate.cut();
    await gate.shutdown();
  }
  assertEquals(gate.figures.open, 0);
}

/** Sends parts, waiting for `between` before each but the first, and reads to the end. */
async function send(
  gate: Gate,
  parts: readonly string[],
  between: () => Promise<void> = turn,
): Promise<string> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: gate.addr.port });
  const answer = new Response(conn.readable).text().catch(() => "");
  for (const [i, part] of parts.entries()) {
    if (i > 0) await between();
    await conn.write(encoder.encode(part)).catch(() => {});
  }
  return await answer;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0);
}

/** The error object of an answer. */
function codeOf(answer: string): string {
  const [head, body] = answer.split("\r\n\r\n");
  assert(/\r\nconnection: close/i.test(head) && /\r\ncontent-type: application\/json/i.test(head), head);
  const { error } = JSON.parse(body);
  assertEquals(Object.keys(error), ["message", "type", "param", "code"]);
  return error.code;
}

const GET = "GET /a HTTP/1.1\r\nHost: localhost\r\n";
const LAST = `${GET}Connection: close\r\n\r\n`;

Deno.test("hasHead() finds an empty line, however it is written and wherever it is cut", () => {
  const has = (text: string, from = 0) => hasHead(encoder.encode(`${text}        `), from, text.length);
  for (const text of ["a\r\n\r\n", "a\n\n", "a\n\r\n", "a\r\nb: c\r\n\r\nbody"]) {
    assert(has(text), JSON.stringify(text));
    for (let cut = 1; cut < text.length; cut++) {
      const whole = has(text.slice(0, cut)) || has(text, cut);
      assert(whole, `${JSON.stringify(text)} cut at ${cut}`);
    }
  }
  for (const text of ["", "a\r\n", "a\r\nb\r\n\r", "a\rb\r\r", "\r\n"]) {
    assert(!has(text), JSON.stringify(text));
  }
  assert(!hasHead(encoder.encode("a\n\n"), 0, 2), "bytes behind the end count for nothing");
});

Deno.test("ignoreUpgrade() makes offers of other protocols headers that nobody knows, and leaves the rest", () => {
  const after = (text: string) => {
    const bytes = encoder.encode(text);
    ignoreUpgrade(bytes);
    return new TextDecoder().decode(bytes);
  };
  const head = (line: string) => `POST / HTTP/1.1\r\n${line}\r\nHost: a\r\n\r\nupgrade: body`;
  assertEquals(after(head("Upgrade: h2c")), head("xpgrade: h2c"));
  assertEquals(after(head("Host: b\r\nuPGRADE:foo, websocket")), head("Host: b\r\nxPGRADE:foo, websocket"));
  for (const line of ["Upgrade: websocket", "upgrade:  WebSocket ", "Upgrade-Insecure: 1", "User: a", "u"]) {
    assertEquals(after(head(line)), head(line));
  }
  assertEquals(after("Upgrade: h2c\n"), "Upgrade: h2c\n");
});

Deno.test("beginsHead() knows the first line of a request, which JSON cannot hold", () => {
  const begins = (text: string) => beginsHead(encoder.encode(text));
  assert(begins("GET /a HTTP/1.1\r\n") && begins("POST http://a/ HTTP/1.0\nHost"));
  for (
    const text of ["", "\n", "GET /a HTTP/1.1", "get /a HTTP/1.1\r\n", "GET /a HTTP/2.0\r\n", "{\n", "A\n"]
  ) {
    assert(!begins(text), JSON.stringify(text));
  }
  assert(!begins(JSON.stringify("GET /a HTTP/1.1\r\n")) && !begins('GET /a HTTP/1.1\\r\\n"'));
});

Deno.test("networkOf() takes IPv6 addresses by their /64", () => {
  assertEquals(networkOf("10.0.0.7"), "10.0.0.7");
  assertEquals(networkOf("::ffff:10.0.0.7"), "10.0.0.7");
  assertEquals(networkOf("2001:db8:1:2:3:4:5:6"), networkOf("2001:db8:1:2::9"));
  assertEquals(networkOf("2001:db8:1::1"), networkOf("2001:db8:1:0:ffff::"));
  assert(networkOf("2001:db8:1:2::1") !== networkOf("2001:db8:1:3::1"));
  assert(networkOf("::1") !== networkOf("1::1"));
});

Deno.test("Gate passes requests on, in any pieces, and many of them on one connection", async () => {
  await withGate({}, async (gate) => {
    assertEquals(statusOf(await send(gate, [...LAST])), 200);
    const body = "x".repeat(100_000);
    const post = `POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const pipelined = await send(gate, [GET + "\r\n" + post + LAST]);
    assertEquals(pipelined.match(/HTTP\/1\.1 200/g)?.length, 3);
    assert(pipelined.includes(`\r\n\r\n${body}HTTP/1.1`), "the body came back changed");
    const one = await send(gate, [
      GET + "\r\n",
      GET + "\r\n",
      post.slice(0, 50_000),
      post.slice(50_000),
      LAST,
    ]);
    assertEquals(one.match(/HTTP\/1\.1 200/g)?.length, 4);
    // What is no HTTP is for the server behind to say.
    assertEquals(statusOf(await send(gate, ["nonsense\r\n\r\n"])), 400);
  });
});

Deno.test("Gate ends a connection whose head is late, with 408, and one that sends nothing without a word", async () => {
  await withGate({ headMs: 300 }, async (gate) => {
    const half = await send(gate, [GET]);
    assertEquals([statusOf(half), codeOf(half)], [408, "header_timeout"]);
    assertEquals(await send(gate, [""]), "");
    // A byte now and then does not help.
    const slow = await send(gate, [...`${GET}X: ${"a".repeat(200)}`], () => turn().then(turn));
    assertEquals(statusOf(slow), 408);
    // Nor does a request that went well before it.
    const later = await send(gate, [GET + "\r\n", GET], () => turn().then(turn));
    assertEquals(later.match(/HTTP\/1\.1 \d+/g), ["HTTP/1.1 200", "HTTP/1.1 408"]);
  });
});

Deno.test("Gate ends idle connections", async () => {
  await withGate({ idleMs: 300 }, async (gate) => {
    const answer = await send(gate, [GET + "\r\n"]);
    assertEquals(answer.match(/HTTP\/1\.1 \d+/g), ["HTTP/1.1 200"]);
  });
});

Deno.test("Gate refuses large heads with 431, and lets large bodies pass", async () => {
  await withGate({ headBytes: 2048, headMs: 1000 }, async (gate) => {
    const large = await send(gate, [`${GET}X: ${"a".repeat(3000)}\r\n\r\n`]);
    assertEquals([statusOf(large), codeOf(large)], [431, "headers_too_large"]);
    const body = "y".repeat(50_000);
    const post = (path: string) =>
      `POST ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    assert((await send(gate, [post("/echo")])).endsWith(body));
    assert((await send(gate, [post("/early")])).includes("early"));
    // On a connection that is known, no more than a head passes before there is a request.
    const later = await send(gate, [GET + "\r\n", `${GET}X: ${"a".repeat(20_000)}`]);
    assertEquals(later.match(/HTTP\/1\.1 \d+/g), ["HTTP/1.1 200", "HTTP/1.1 431"]);
  });
});

Deno.test("Gate answers requests with a body that offer another protocol, as Java's client makes them", async () => {
  await withGate({}, async (gate) => {
    const offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n";
    const head = `POST /echo HTTP/1.1\r\n${offer}Host: localhost\r\nContent-Length: 2\r\n\r\n`;
    const parts = [head, "{}", head + "{}", head.slice(0, 40), head.slice(40) + "{}", LAST];
    const answer = await send(gate, parts, () => turn().then(turn));
    assertEquals(answer.match(/HTTP\/1\.1 \d+/g), new Array(4).fill("HTTP/1.1 200"));
  });
});

Deno.test("Gate lets HTTP/2 pass", async () => {
  await withGate({}, async (gate) => {
    const client = connect(`http://127.0.0.1:${gate.addr.port}`);
    const stream = client.request({ ":path": "/echo", ":method": "POST" });
    stream.end("x".repeat(50_000));
    stream.setEncoding("utf8");
    let answer = "";
    for await (const part of stream) answer += part;
    assertEquals(answer.length, 50_000);
    await new Promise<void>((resolve) => client.close(resolve));
  });
});

Deno.test("Gate says what it can of a request that is no valid HTTP", async () => {
  await withGate({}, async (gate) => {
    const post = "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n";
    const broken = await send(gate, [`${post}ZZ\r\nhello\r\n`]);
    assertEquals([statusOf(broken), codeOf(broken)], [400, "malformed_request"]);
    assertEquals(statusOf(await send(gate, [post, "ZZ\r\nhello\r\n"])), 400);
    const later = await send(gate, [GET + "\r\n", `${post}ZZ\r\nhello\r\n`]);
    assertEquals(later.match(/HTTP\/1\.1 \d+/g), ["HTTP/1.1 200", "HTTP/1.1 400"]);
  });
});

Deno.test("Gate ends a connection after an answer that says so, and takes what still comes of the request", async () => {
  await withGate({}, async (gate) => {
    const head = "POST /refuse HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20000000\r\n\r\n";
    // None of it comes; all of it comes before the client reads; its client goes on for ever.
    for (const megabytes of [0, 20, 200]) {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port: gate.addr.port });
      await conn.write(encoder.encode(head));
      const part = new Uint8Array(1 << 20);
      let left = megabytes;
      try {
        for (; left > 0; left--) {
          for (let sent = 0; sent < part.length;) sent += await conn.write(part.subarray(sent));
        }
      } catch {
        assertEquals(megabytes, 200);
      }
      assert(left === 0 || megabytes === 200);
      const answer = await new Response(conn.readable).text().catch(() => "");
      if (megabytes < 200) assertEquals([statusOf(answer), answer.endsWith("no")], [413, true]);
    }
    while (gate.figures.open > 0) await turn();
  });
});

Deno.test("Gate tells when a client has left, and whether it may still read", async () => {
  await withGate({}, async (gate) => {
    const request = "POST /arrive HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n.";
    const answer = async (isPipelined: boolean) => {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port: gate.addr.port });
      await conn.write(encoder.encode(isPipelined ? request + request : request));
      while (gate.figures.open === 0) await turn();
      await conn.closeWrite();
      return await new Response(conn.readable).text();
    };
    for (const isPipelined of [false, true]) {
      const answers = (await answer(isPipelined)).matchAll(/left: (\w+)\./g).map(([, reason]) => reason);
      assertEquals(answers.toArray(), isPipelined ? ["half", "half"] : ["half"]);
    }
  });
});

Deno.test("Gate refuses connections while all places are taken by requests", async () => {
  // The server has begun it.
  const open = async (gate: Gate) => {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: gate.addr.port });
    await conn.write(
      encoder.encode("POST /arrive HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n."),
    );
    return conn;
  };
  for (const limits of [{ connectionsMax: 2 }, { connectionsPerAddress: 2 }]) {
    await withGate(limits, async (gate) => {
      const conns = [await open(gate), await open(gate)];
      for (let i = 0; i < 20; i++) await turn();
      const refused = await send(gate, [LAST]);
      assertEquals([statusOf(refused), codeOf(refused)], [503, "too_many_connections"]);
      assert(/\r\nretry-after: 1\r\n/.test(refused), refused);
      assertEquals([gate.figures.open, gate.figures.refused.too_many_connections], [2, 1]);
      for (const conn of conns) conn.close();
      while (gate.figures.open > 0) await turn();
      assertEquals(statusOf(await send(gate, [LAST])), 200);
    });
  }
});

Deno.test("a connection without a request gives way to a new one, first one that has sent no head", async () => {
  for (const limits of [{ connectionsMax: 3 }, { connectionsPerAddress: 3 }]) {
    await withGate(limits, async (gate) => {
      const open = async (text: string) => {
        const conn = await Deno.connect({ hostname: "127.0.0.1", port: gate.addr.port });
        await conn.write(encoder.encode(text));
        return conn;
      };
      const known = await open(`${GET}\r\n`);
      assert(await known.read(new Uint8Array(1000)));
      const waiting = [await open(GET), await open(GET)];
      await turn();
      for (let i = 0; i < 5; i++) {
        assertEquals(statusOf(await send(gate, [LAST])), 200);
        while (gate.figures.open > 2) await turn();
      }
      // The oldest of those without a head had to go, and nobody else.
      assertEquals(await waiting[0].read(new Uint8Array(10)).catch(() => null), null);
      for (const conn of [known, waiting[1]]) {
        await conn.write(encoder.encode(conn === known ? LAST : "\r\n"));
        assert(await conn.read(new Uint8Array(1000)));
      }
      assertEquals([gate.figures.refused.gave_way, gate.figures.refused.too_many_connections], [1, 0]);
      for (const conn of [known, ...waiting]) conn.close();
    });
  }
});

Deno.test("Gate ends a connection whose client takes nothing", async () => {
  await withGate({ stalledMs: 300 }, async (gate) => {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: gate.addr.port });
    const body = new Uint8Array(32 << 20);
    const head = `POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`;
    await conn.write(encoder.encode(head));
    for (let sent = 0; sent < body.length;) sent += await conn.write(body.subarray(sent));
    while (gate.figures.open > 0) await turn();
    conn.close();
  });
});

Deno.test("the server behind a gate answers nobody else", async () => {
  await withGate({}, async (gate) => {
    const inner = await gate.connect({} as never);
    const { hostname, port } = inner.remoteAddr;
    inner.close();
    const other = await Deno.connect({ hostname, port });
    await other.write(encoder.encode(LAST));
    assertEquals(statusOf(await new Response(other.readable).text()), 403);
  });
});

Deno.test("serve() has a gate unless it is told not to", async () => {
  const half = async (port: number) => {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await conn.write(encoder.encode(GET));
    return conn;
  };
  // One answer after another, so that some are left when the client is.
  await using gated = await startServer({ gate: { headMs: 200 }, sequencesMax: 1 });
  await using ungated = await startServer({ gate: false, sequencesMax: 1 });
  assertEquals(statusOf(await new Response((await half(gated.server.port)).readable).text()), 408);
  for (const server of [gated, ungated]) {
    const { choices } = await (await server.post(CHAT, { messages: QUESTION, temperature: 0 })).json();
    assertEquals(choices[0].message.content, ANSWER);
    // A client that goes away is noticed through the gate, too.
    const controller = new AbortController();
    const body = { ...ENDLESS, n: 8, stream: true };
    const { body: stream } = await server.post(TEXT, body, { signal: controller.signal });
    const reader = stream!.getReader();
    await reader.read();
    controller.abort();
    await reader.read().catch(() => {});
    await assertIdle(server.model);
    assert((await server.model.stats()).workers[0].classes[0].finished.abort > 0);
  }
  assertThrows(() => serve({ port: 0, gate: { headMs: 0 } }), RangeError, "gate.headMs");
});

Deno.test("serve() lets clients whose bodies do not come give way to others", async () => {
  await using server = await startServer({ gate: { connectionsMax: 4 } });
  const head =
    `POST ${CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{`;
  const slow = await Promise.all(Array.from({ length: 12 }, async () => {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: server.server.port });
    await conn.write(encoder.encode(head));
    return conn;
  }));
  const { choices } = await (await server.post(CHAT, { messages: QUESTION, temperature: 0 })).json();
  assertEquals(choices[0].message.content, ANSWER);
  for (const conn of slow) conn.close();
});
