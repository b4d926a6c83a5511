/** A server with the demo model, for tests that speak HTTP. @module */

import { assert, assertEquals } from "@std/assert";
import { serve, type ServeOptions } from "../../mod.ts";
import type { KumiServer, Model, RequestObserver } from "../../mod.ts";

/** A server on a port of its own and what one asks it for. */
export interface TestServer extends AsyncDisposable {
  readonly server: KumiServer;
  readonly model: Model;
  readonly url: string;
  get(path: string, init?: RequestInit): Promise<Response>;
  post(path: string, body: unknown, init?: RequestInit): Promise<Response>;
}

export async function startServer(options: ServeOptions = {}): Promise<TestServer> {
  const server = serve({ port: 0, threads: 1, canaryMs: 0, ...options });
  const model = await server.ready;
  const get = (path: string, init?: RequestInit) => fetch(server.url + path, init);
  return {
    server,
    model,
    url: server.url,
    get,
    post: (path, body, init) =>
      get(path, {
        method: "POST",
        body: typeof body === "string" ? body : JSON.stringify(body),
        ...init,
        headers: { "content-type": "application/json", ...init?.headers },
      }),
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

export const CHAT = "/v1/chat/completions";
export const TEXT = "/v1/completions";
export const QUESTION = [{ role: "user", content: "What is 17 + 25?" }];
export const ANSWER = "17 + 25 = 42.";
/** Goes on until the context is full. */
export const ENDLESS = { prompt: "Once", ignore_eos: true, temperature: 1, seed: 1 } as const;

/** An error as a client gets it. */
export interface SeenError {
  message: string;
  type: string;
  param: string | null;
  code: string | null;
  headers: Headers;
}

/** The error of a response, which must have this status. */
export async function errorOf(pending: Promise<Response>, status: number): Promise<SeenError> {
  const response = await pending;
  const text = await response.text();
  assertEquals(response.status, status, text);
  const { error } = JSON.parse(text);
  assertEquals(Object.keys(error), ["message", "type", "param", "code"]);
  assert(error.message.length > 5);
  return { ...error, headers: response.headers };
}

/** The data of a stream's events; "[DONE]" as it is. */
export async function eventsOf(response: Response): Promise<unknown[]> {
  assertEquals(response.headers.get("content-type"), "text/event-stream");
  const events = (await response.text()).split("\n\n");
  assertEquals(events.pop(), "");
  return events.filter((event) => !event.startsWith(":")).map((event) => {
    assert(event.startsWith("data: "), event);
    const data = event.slice("data: ".length);
    return data === "[DONE]" ? data : JSON.parse(data);
  });
}

/** Waits until nothing is under way in a model; then no KV block may be in use by a request. */
export async function assertIdle(model: Model): Promise<void> {
  for (let i = 0; i < 500; i++) {
    const { pending, workers } = await model.stats();
    const running = workers.flatMap(({ classes }) => classes).reduce(
      (sum, each) => sum + each.running + each.waiting,
      0,
    );
    // What is left belongs to the prefix cache.
    const isFree = workers.every(({ kv }) => kv.sequences === 0 && kv.allocatedBytes === kv.cachedBytes);
    if (pending === 0 && running === 0 && isFree) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`requests or KV blocks are left: ${JSON.stringify(await model.stats())}`);
}

/** An observer that writes down what it hears. */
export function recorder(): { heard: [string, ...unknown[]][]; observer: RequestObserver } {
  const heard: [string, ...unknown[]][] = [];
  const note = (name: string) => (...args: unknown[]) => void heard.push([name, ...args]);
  return {
    heard,
    observer: {
      accepted: note("accepted"),
      firstToken: note("firstToken"),
      tokens: note("tokens"),
      finished: note("finished"),
      refused: note("refused"),
      answered: note("answered"),
    },
  };
}
