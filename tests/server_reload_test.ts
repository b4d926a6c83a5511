/** `kumi serve` reads keys and settings again on SIGHUP: in a process of its own, under load, with the permissions that it prints. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { TemporaryFolder } from "./support/models.ts";
import { freePort, isWindows, output, SERVE, start } from "./support/server_process.ts";
import { ANSWER, CHAT, QUESTION } from "./support/server.ts";
import { waitUntil } from "./support/waiting.ts";

const SHOP = "key-of-shop-1", DESK = "key-of-desk-1", ROOT = "key-of-root-1";

async function ask(url: string, key: string, body: object = {}): Promise<[number, string]> {
  const response = await fetch(url + CHAT, {
    method: "POST",
    body: JSON.stringify({ messages: QUESTION, temperature: 0, ...body }),
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
  });
  return [response.status, await response.text()];
}

Deno.test({
  name: "kumi serve reads keys and settings again on SIGHUP, and under load no answer is lost",
  ignore: isWindows,
  fn: async () => {
    using folder = new TemporaryFolder();
    const [keyFile, config, usageFile] = ["keys", "kumi.json", "usage.json"].map((name) =>
      `${folder.path}/${name}`
    );
    const settings = {
      usageFile,
      apiKeys: keyFile,
      host: "127.0.0.1",
      port: freePort(),
      threads: 1,
      noUi: true,
    };
    const admin = { name: "root", admin: true };
    const write = async (keys: string, more: object) => {
      await Deno.writeTextFile(keyFile, keys);
      await Deno.writeTextFile(config, JSON.stringify({ ...settings, ...more }));
    };
    const first = `${SHOP} shop\n${ROOT} root\n`;
    await write(first, { keys: [admin] });
    const args = ["--config", config];
    const permissions = (await output([...args, "--print-permissions"])).stdout.trim().split(" ");
    const { child, url, until, end } = await start([...SERVE, ...args], permissions);
    await until("kumi: ready: ");
    let isLoaded = true;
    let answers = 0;
    const failures: unknown[] = [];
    const load = Array.from({ length: 4 }, async (_, i) => {
      while (isLoaded) {
        const [status, text] = await ask(url, SHOP, { stream: i % 2 === 0 }).catch((
          error,
        ) => [0, String(error)]);
        const isWhole = i % 2 === 0
          ? String(text).endsWith("data: [DONE]\n\n") && !String(text).includes('"error"')
          : String(text).includes(JSON.stringify(ANSWER));
        if (status === 200 && isWhole) answers++;
        else failures.push([status, text]);
      }
    });
    /** Until the server has told so. */
    const hangup = async (told: string) => {
      const before = answers;
      child.kill("SIGHUP");
      await until(told);
      // Answers come on both sides of it.
      await waitUntil(() => answers >= before + 12 || failures.length > 0);
    };
    assertEquals((await ask(url, DESK))[0], 401);
    await write(`${first}${DESK} desk\n`, {
      keys: [admin, { name: "desk", requestsPerMinute: 2 }],
      drainSeconds: 9,
    });
    await hangup("kumi: read again: 3 API keys; changed: keys, drainSeconds\n");
    assertEquals((await ask(url, DESK))[0], 200);
    await write(`${first}${DESK} desk\n`, { keys: [admin], threads: 2, context: 64 });
    await hangup("kumi: only a new start changes threads, context\n");
    await write(`${first}nope\n`, {});
    await hangup(`kumi: nothing has changed: ${keyFile}, line 3: an API key has 8 to 512`);
    await Deno.writeTextFile(config, "{");
    await hangup(`kumi: nothing has changed: ${config}: `);
    assertEquals((await ask(url, DESK))[0], 200);
    await write(`${first}`, { keys: [{ ...admin, requestsPerMinute: 5 }] });
    const reloaded = await fetch(`${url}/admin/reload`, { method: "POST", headers: { "x-api-key": ROOT } });
    assertEquals(await reloaded.json(), { keys: 2, changed: ["keys"], waiting: [] });
    await until('kumi: /admin/reload was asked for by "root" (request ');
    await until("kumi: read again: 2 API keys; changed: keys\n");
    await write(`${first}${SHOP} again\n`, {});
    await hangup(`kumi: nothing has changed: ${keyFile}, line 3: this key is in line 1 already\n`);
    await write(first, { keys: [admin, { name: "shop", classes: ["bach"] }] });
    await hangup(
      'kumi: nothing has changed: keys, "shop": there is no class "bach"; there is interactive, batch\n',
    );
    assertEquals((await ask(url, DESK))[0], 401);
    isLoaded = false;
    await Promise.all(load);
    assertEquals(failures, []);
    await write(`${ROOT} root\n`, {});
    child.kill("SIGHUP");
    await until("kumi: read again: 1 API key; changed: keys\n");
    assertEquals((await ask(url, SHOP))[0], 401);
    child.kill("SIGTERM");
    const { code, log } = await end();
    assertEquals(code, 0, log);
    assertStringIncludes(log, "shutting down");
    const { rows } = JSON.parse(await Deno.readTextFile(usageFile)) as {
      rows: { key: string; requests: number }[];
    };
    const asked = rows.filter((row) => row.key === "shop").reduce((sum, { requests }) => sum + requests, 0);
    assertEquals(asked, answers);
    for (const key of [SHOP, DESK, ROOT, "nope"]) assert(!log.includes(key), log);
  },
});
