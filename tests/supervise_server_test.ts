/** A server whose engine runs in a process of its own: what clients see when that ends. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { chooseStd, stdFlags } from "../src/setup/import_map.ts";
import { demoModelFile } from "../src/ffi/native_files.ts";
import { ROOT } from "../src/setup/paths.ts";
import { TemporaryFolder } from "./support/models.ts";
import { CHAT, ENDLESS, errorOf, QUESTION, startServer, TEXT } from "./support/server.ts";
import {
  endGroup,
  follow,
  freePort,
  GROUP,
  isWindows,
  printedPermissions,
  SERVE,
  start,
} from "./support/server_process.ts";

/** The processes that this one has started, as ps tells them. */
function childrenOf(parent: number): number[] {
  const { stdout } = new Deno.Command("ps", { args: ["-A", "-o", "pid=,ppid="] }).outputSync();
  const rows = new TextDecoder().decode(stdout).trim().split("\n").map((row) =>
    row.trim().split(/\s+/).map(Number)
  );
  return rows.filter(([, ppid]) => ppid === parent).map(([pid]) => pid);
}

function postJson(url: string, body: unknown): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return fetch(url, { method: "POST", body: JSON.stringify(body), headers });
}

/** A stream's text up to now, as it comes. */
function follower(response: Response) {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  return {
    /** Reads so many characters more, or to the end. */
    async read(characters = Infinity): Promise<string> {
      for (const end = text.length + characters; text.length < end;) {
        const { done, value } = await reader.read();
        if (done) break;
        text += value;
      }
      return text;
    },
  };
}

/** Texts of a stream of completions. */
function textsOf(stream: string): string {
  const events = stream.split("\n\n").filter((event) => event.startsWith("data: {"));
  return events.map((event) => JSON.parse(event.slice("data: ".length)).choices?.[0]?.text ?? "").join("");
}

const STORY = { ...ENDLESS, max_tokens: 400, stream: true } as const;

Deno.test({
  name:
    "kumi serve --supervise runs with the permissions that it prints, and loses nothing when its engine is killed",
  ignore: isWindows,
  fn: async () => {
    const port = freePort();
    const args = ["--port", `${port}`, "--supervise"];
    const permissions = await printedPermissions(port, args.slice(2));
    assert(!permissions.some((flag) => flag.startsWith("--allow-ffi")), permissions.join(" "));
    assert(permissions.includes(`--allow-run=${Deno.execPath()}`), permissions.join(" "));
    const { child, url, until, end } = await start([...SERVE, ...args], permissions);
    await until("kumi: ready: ");
    const undisturbed = await (await postJson(url + TEXT, STORY)).text();
    const response = await postJson(url + TEXT, STORY);
    const stream = follower(response);
    await stream.read(200);
    const [engine] = childrenOf(child.pid);
    Deno.kill(engine, "SIGKILL");
    const text = await stream.read();
    assert(text.endsWith("data: [DONE]\n\n"), text.slice(-200));
    assertEquals(textsOf(text), textsOf(undisturbed));
    assert(textsOf(text).length > 400);
    const [next] = childrenOf(child.pid);
    assert(next !== undefined && next !== engine);
    assertEquals(await (await fetch(`${url}/readyz`)).json(), { ready: true, state: "ready" });
    assertStringIncludes(await (await fetch(`${url}/metrics`)).text(), "kumi:worker_restarts_total");
    child.kill("SIGTERM");
    const { code, log } = await end();
    assertEquals(code, 0, log);
    assertStringIncludes(log, `kumi: engine 0: process ${engine} is gone: its process was killed (SIGKILL)`);
    assertEquals(log.match(/is gone/g)?.length, 1, log);
    assertEquals(childrenOf(child.pid), []);
  },
});

Deno.test({
  name: "a signal to all processes of a supervised server at once lets running requests end",
  ignore: isWindows,
  fn: async () => {
    const task = new Deno.Command(Deno.execPath(), {
      ...GROUP,
      args: ["task", "--quiet", "serve", "--supervise", "--port", "0"],
      cwd: ROOT,
    });
    const { child, url, until, end } = await follow(task);
    using _group = { [Symbol.dispose]: () => endGroup(child.pid) };
    await until("kumi: ready: ");
    const running = await postJson(url + TEXT, { ...ENDLESS, n: 4, stream: true });
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      Deno.kill(-child.pid, signal);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const text = await running.text().catch(String);
    const { log } = await end();
    assert(text.endsWith("data: [DONE]\n\n"), `a running request did not end: ${text.slice(-80)}\n${log}`);
    assert(!log.includes("is gone"), log);
  },
});

Deno.test("a server whose engine cannot start again says so, takes nothing new, and goes on once it can", async () => {
  using folder = new TemporaryFolder();
  const path = `${folder.path}/model.gguf`;
  await Deno.copyFile(demoModelFile(), path);
  await using started = await startServer({ model: path, isolation: "process" });
  const { model, post, get } = started;
  const undisturbed = await (await post(TEXT, STORY)).text();
  const stream = follower(await post(TEXT, STORY));
  await stream.read(200);
  await Deno.rename(path, `${path}.away`);
  Deno.kill(model.health().workers[0].pid!, "SIGKILL");
  while (model.health().workers[0].restartInMs === undefined) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const { message, code } = await errorOf(get("/health"), 503);
  assertEquals(code, "unhealthy");
  assertStringIncludes(message, "the engine ends again and again; it is started next in");
  const refused = await errorOf(post(CHAT, { messages: QUESTION }), 503);
  assertEquals(refused.code, "engine_restarting");
  assert(Number(refused.headers.get("retry-after")) >= 1);
  // Who asks for figures is not kept waiting.
  assertStringIncludes(await (await get("/metrics")).text(), "kumi:worker_restarts_total");
  await Deno.rename(`${path}.away`, path);
  assertEquals(textsOf(await stream.read()), textsOf(undisturbed));
  assertEquals(await (await get("/health")).json(), { status: "ok" });
});

Deno.test({
  name: "bench/supervise.ts finds no wrong token under load while the engine is killed every two seconds",
  ignore: isWindows,
  fn: async () => {
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--allow-all", ...stdFlags(await chooseStd()), "bench/supervise.ts"],
        ...["--seconds", "15", "--every", "2", "--streams", "4", "--requests", "20", "--tokens", "100"],
      ],
      cwd: ROOT,
    }).output();
    const decoder = new TextDecoder();
    const line = decoder.decode(stdout);
    assert(success, line + decoder.decode(stderr));
    const { sent, right, wrong, failed, kills, restarts, quarantined } = JSON.parse(line);
    assertEquals([right, wrong, failed, quarantined], [sent, 0, 0, 0]);
    assert(kills >= 1 && restarts >= kills && sent > 20, line);
  },
});
