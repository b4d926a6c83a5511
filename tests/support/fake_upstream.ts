/** A server that speaks OpenAI's interface as well or as badly as a test wants, and writes down what it is asked. @module */

/** A request as it came. */
export interface SeenRequest {
  readonly path: string;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

/** How it behaves; may be changed at any time. */
export interface Behaviour {
  /** The answer, a word an event. */
  words: string[];
  /** Of streams, in place of what the words make. */
  deltas?: object[];
  /** Ends the connection after so many words. */
  breaksAfter?: number;
  /** Answers nothing after so many words, until the client leaves. */
  stallsAfter?: number;
  /** Answers with this in place of an answer. */
  response?: () => Response | Promise<Response>;
  /** What it says of its tokens; null: nothing. */
  usage: Record<string, unknown> | null;
  isWell: boolean;
  /** What is sent in front of the first word. */
  comment?: string;
  /** Whether the stream has its last event. */
  hasDone: boolean;
}

export interface FakeUpstream extends AsyncDisposable {
  readonly url: string;
  readonly seen: SeenRequest[];
  readonly behaviour: Behaviour;
  /** Streams whose client left. */
  readonly left: number;
}

export function fakeUpstream(behaviour: Partial<Behaviour> = {}): FakeUpstream {
  const how: Behaviour = {
    words: ["Hello", " from", " there"],
    usage: { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 },
    isWell: true,
    hasDone: true,
    ...behaviour,
  };
  const seen: SeenRequest[] = [];
  let left = 0;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {}, onError: () => new Response() },
    async (request) => {
      const path = new URL(request.url).pathname;
      if (path === "/v1/models") return new Response(null, { status: how.isWell ? 200 : 500 });
      const body = await request.json();
      seen.push({ path, headers: request.headers, body });
      if (how.response !== undefined) return await how.response();
      if (body.stream !== true) return Response.json(whole(path, body, how));
      return new Response(streamed(path, body, how, () => left++), {
        headers: { "content-type": "text/event-stream" },
      });
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}/v1`,
    seen,
    behaviour: how,
    get left() {
      return left;
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function whole(path: string, { model }: Record<string, unknown>, { words, usage }: Behaviour): object {
  if (path.endsWith("/embeddings")) {
    return { object: "list", model, data: [{ object: "embedding", index: 0, embedding: [1, 0] }], usage };
  }
  const text = words.join("");
  const choice = path.endsWith("/chat/completions")
    ? { message: { role: "assistant", content: text } }
    : { text };
  return {
    id: "x",
    object: "answer",
    model,
    choices: [{ index: 0, ...choice, finish_reason: "stop" }],
    usage,
  };
}

function streamed(
  path: string,
  { model }: Record<string, unknown>,
  how: Behaviour,
  onLeft: () => void,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const isChat = path.endsWith("/chat/completions");
  const parts = how.deltas ??
    how.words.map((word) => isChat ? { delta: { content: word } } : { text: word });
  let place = -1, isOver = false;
  return new ReadableStream({
    async pull(controller) {
      const send = (data: object | string) =>
        controller.enqueue(
          encoder.encode(`data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`),
        );
      const chunk = (choice: object) => ({
        id: "x",
        model,
        choices: [{ index: 0, ...choice, finish_reason: null }],
      });
      if (place === -1) {
        place++;
        if (how.comment !== undefined) controller.enqueue(encoder.encode(how.comment));
        send(chunk(isChat ? { delta: { role: "assistant", content: "" } } : { text: "" }));
        return;
      }
      if (place === how.breaksAfter) {
        isOver = true;
        return controller.error(new Error("the machine lost its power"));
      }
      if (place === how.stallsAfter) return await new Promise<void>(() => {});
      if (place < parts.length) return send(chunk(parts[place++]));
      isOver = true;
      send({ id: "x", model, choices: [{ index: 0, delta: {}, finish_reason: "stop" }] });
      if (how.usage !== null) send({ id: "x", model, choices: [], usage: how.usage });
      if (how.hasDone) send("[DONE]");
      controller.close();
    },
    cancel() {
      if (!isOver) onLeft();
    },
  }, { highWaterMark: 0 });
}
