/** A server with upstreams and a model whose answers are given. @module */

import type { Model, RequestOutlook } from "../../mod.ts";
import type { RequestObserver } from "../../src/server/observer.ts";
import { type Handler, handlerOf } from "../../src/server/handler.ts";
import type { RoutingOptions, UpstreamOptions } from "../../src/server/upstreams/options.ts";
import { type FakeUpstream, fakeUpstream } from "./fake_upstream.ts";
import { eventsOf, recorder } from "./server.ts";
import { ServedModel } from "./served_model.ts";

export const QUESTION = { model: "m", messages: [{ role: "user", content: "Who is there?" }] };
export const PROMPT = { model: "m", prompt: "Who is there?" };

export interface RoutedServer extends AsyncDisposable {
  readonly handler: Handler;
  readonly here: ServedModel & { outlook: () => RequestOutlook };
  readonly log: Record<string, unknown>[];
  readonly heard: [string, ...unknown[]][];
  ask(path: string, body: object, init?: RequestInit): Promise<Response>;
}

/** How an upstream is reached; quick to give up, so that tests are. */
export function placeOf({ url }: FakeUpstream, of: Partial<UpstreamOptions> = {}): UpstreamOptions {
  return {
    name: "gpu",
    url,
    models: [{ name: "m", there: "org/m" }, { name: "large" }],
    data: "internal",
    healthMs: 0,
    ...of,
  };
}

export async function routedServer(
  routing: RoutingOptions,
  { apiKeys, lenient }: { apiKeys?: string[]; lenient?: boolean } = {},
): Promise<RoutedServer> {
  const here = Object.assign(new ServedModel(["Hello", " from", " here"]), {
    outlook: (): RequestOutlook => ({ refuses: false, ttftMs: 10 }),
  });
  const { heard, observer } = recorder();
  const log: Record<string, unknown>[] = [];
  const handler = handlerOf(here as unknown as Model, {
    routing,
    modelName: "m",
    canaryMs: 0,
    page: false,
    apiKeys,
    lenient,
    observer: observer as RequestObserver,
    accessLog: (line) => log.push(JSON.parse(line)),
  });
  await handler.settled;
  return {
    handler,
    here,
    log,
    heard,
    ask: (path, body, init) =>
      handler(
        new Request(`http://127.0.0.1${path}`, {
          method: "POST",
          body: JSON.stringify(body),
          ...init,
          headers: { "content-type": "application/json", host: "127.0.0.1", ...init?.headers },
        }),
      ),
    [Symbol.asyncDispose]: () => {
      handler.close();
      return Promise.resolve();
    },
  };
}

/** A server with one upstream that gets all that may go there. */
export async function withUpstream(
  of: Partial<Parameters<typeof fakeUpstream>[0]> = {},
  routing: Partial<Omit<RoutingOptions, "upstreams">> & { upstream?: Partial<UpstreamOptions> } = {},
  options: { apiKeys?: string[]; lenient?: boolean } = {},
): Promise<{ server: RoutedServer; there: FakeUpstream } & AsyncDisposable> {
  const there = fakeUpstream(of);
  const { upstream, ...rules } = routing;
  const server = await routedServer(
    { upstreams: [placeOf(there, upstream)], way: "there", ...rules },
    options,
  );
  return {
    server,
    there,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await there[Symbol.asyncDispose]();
    },
  };
}

/** The text of a stream, with the code of an error that it ends with. */
export async function streamed(response: Response): Promise<string> {
  const events = await eventsOf(response) as (string | Record<string, unknown>)[];
  return events.map((event) => {
    if (typeof event === "string") return event;
    if (event.error !== undefined) return `!${(event.error as { code: string }).code}`;
    const [{ delta, text } = {} as Record<string, Record<string, string>>] = event.choices as Record<
      string,
      Record<string, string>
    >[];
    return delta?.content ?? text ?? "";
  }).join("");
}
