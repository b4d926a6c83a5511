/** The balancers' configurations of deploy/: servers that end one after another, and nothing is lost. */
import { assertEquals, assertGreater } from "@std/assert";
import { type KumiServer, serve } from "../mod.ts";
import { Balancer, BALANCERS, freePort } from "../bench/support/balancer.ts";
import { ROOT } from "../src/setup/paths.ts";
import { testWithPrograms } from "./support/optional.ts";

function start(port = 0): KumiServer {
  return serve({ model: "demo", port, threads: 1, canaryMs: 0, sequencesMax: 4 });
}

/** Asks again and again with a beginning of its own; ends with how many answers came. */
async function user(url: string, i: number, signal: AbortSignal): Promise<number> {
  let answers = 0;
  while (!signal.aborted) {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-session-id": `${i}` },
      body: JSON.stringify({ messages: [{ role: "user", content: `Hello ${i}` }], max_tokens: 8 }),
    });
    const text = await response.text();
    assertEquals(response.status, 200, text);
    answers++;
  }
  return answers;
}

for (const name of BALANCERS) {
  testWithPrograms(
    `behind ${name} servers end and begin anew, and every request is answered`,
    [name],
    async () => {
      const servers = [start(), start(), start()];
      await Promise.all(servers.map(({ ready }) => ready));
      const over = new AbortController();
      try {
        await using balancer = await Balancer.start(name, servers.map(({ port }) => port));
        const users = Promise.all([0, 1, 2, 3].map((i) => user(balancer.url, i, over.signal)));
        users.catch(() => {});
        for (let i = 0; i < 2; i++) {
          const { port } = servers[i];
          await servers[i].shutdown();
          servers[i] = start(port);
          await servers[i].ready;
        }
        over.abort();
        for (const answers of await users) assertGreater(answers, 0);
      } finally {
        over.abort();
        await Promise.all(servers.map((server) => server.shutdown()));
      }
    },
  );
}

/** What the agent says to one who connects. */
async function ask(port: number): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  return await new Response(connection.readable).text();
}

Deno.test("HAProxy's agent says how much a server is to get, and when it has gone", async () => {
  const server = start();
  await server.ready;
  const port = freePort();
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-config", "--no-prompt", "--allow-net=127.0.0.1", "--allow-env=KUMI_API_KEY"],
      `${ROOT}/deploy/haproxy/agent.ts`,
      ...["--server", server.url, "--listen", String(port)],
    ],
    stdout: "null",
    stderr: "piped",
  }).spawn();
  try {
    const reader = child.stderr.getReader();
    await reader.read(); // it says that it listens
    await reader.cancel();
    assertEquals(await ask(port), "up ready 100%\n");
    await server.shutdown();
    assertEquals(await ask(port), "down\n");
  } finally {
    child.kill();
    await child.status;
    await server.shutdown();
  }
});
