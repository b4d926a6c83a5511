/** GET /ui/feed: what the machine is doing, for pages that look on. @module */

import { ApiError } from "../api_error.ts";
import { type CancelReason, type EventSource, EventStream, eventText } from "../sse.ts";
import type { Route } from "../service.ts";
import { type FeedOptions, frameOf, helloOf } from "./frame.ts";

/** Ms from one frame to the next. */
const INTERVAL_MS = 1000;

/** Looks at the engine once a second while somebody looks on, however many they are, and not otherwise. */
export class Feed {
  readonly #options: FeedOptions;
  readonly #viewers = new Set<Viewer>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isLooking = false;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  get route(): Route {
    return { method: "GET", path: "/ui/feed", handle: () => this.#open() };
  }

  /** Ends all streams. */
  close(): void {
    clearTimeout(this.#timer);
    for (const viewer of this.#viewers) viewer.stream.end();
    this.#viewers.clear();
  }

  #open(): Response {
    const model = this.#options.source();
    if (model === null) {
      const { isShared } = this.#options;
      const what = isShared ? "The model is not in memory" : "The model is loading";
      throw new ApiError(503, what, { code: isShared ? "unloaded" : "loading", retryAfterMs: 2000 });
    }
    const viewer = new Viewer(() => this.#viewers.delete(viewer));
    viewer.push(eventText(helloOf(this.#options, model.info)));
    this.#viewers.add(viewer);
    clearTimeout(this.#timer);
    void this.#look();
    return new Response(viewer.stream.body, {
      headers: {
        "content-type": "text/event-stream",
        "cache-control": "no-cache",
        "x-accel-buffering": "no",
      },
    });
  }

  /** One look at a time: workers answer between two steps, and a step may be long. */
  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const model = this.#options.source();
      if (model !== null) {
        const frame = eventText(frameOf(this.#options, await model.stats({ view: true }), model.health()));
        for (const viewer of this.#viewers) viewer.push(frame);
      } else this.close();
    } catch {
      // The engine is gone; its health said so, and the next look says it again.
    } finally {
      this.#isLooking = false;
      clearTimeout(this.#timer);
      if (this.#viewers.size > 0) this.#timer = setTimeout(() => void this.#look(), INTERVAL_MS);
    }
  }
}

/** One page. Of frames that it has not read only the newest is kept. */
class Viewer implements EventSource {
  readonly stream: EventStream;
  readonly #left: () => void;
  #first = "";
  #frame = "";

  constructor(left: () => void) {
    this.#left = left;
    this.stream = new EventStream(this);
  }

  get waiting(): number {
    return this.#first.length + this.#frame.length;
  }

  push(event: string): void {
    if (this.#first === "" && this.#frame === "") this.#first = event;
    else this.#frame = event;
    this.stream.notify();
  }

  take(): string {
    const text = this.#first + this.#frame;
    this.#first = this.#frame = "";
    return text;
  }

  cancelled(_reason: CancelReason): void {
    this.#left();
  }
}
