/** The machine as the server tells of it, once a second, and the last five minutes of that. @module */

import type { FeedFrame, FeedHello } from "../../feed.ts";
import { settings } from "../chat/settings.ts";
import { apiKey, events } from "../core/api.ts";
import { Store } from "../core/store.ts";

/** Frames that are kept: five minutes. */
export const KEPT = 300;
const AGAIN_MS = 2000;

export interface FeedState {
  readonly hello: FeedHello | null;
  /** The oldest first. */
  readonly frames: readonly FeedFrame[];
  /** Why nothing comes; null: it does. */
  readonly error: Error | null;
}

export const feed = new Store<FeedState>({ hello: null, frames: [], error: null });

/** Follows the feed until told to stop, and comes back to it when it breaks off. */
export async function followFeed(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    let error: Error | null = null;
    try {
      // Of several models the one that was chosen for the chat, else the one that was used last.
      const { model } = settings.value;
      const path = model === "" ? "/ui/feed" : `/ui/feed?model=${encodeURIComponent(model)}`;
      for await (const data of events(path, { signal })) take(JSON.parse(data));
    } catch (thrown) {
      if (signal.aborted) return;
      error = thrown as Error;
    }
    feed.set({ ...feed.value, error: error ?? new Error("") });
    await later(signal);
  }
}

function take(event: FeedHello | FeedFrame): void {
  const { hello, frames } = feed.value;
  if (event.type === "frame") {
    // A server that began anew counts from 0: what came before cannot be compared with it.
    const isNew = (frames.at(-1)?.cpuSeconds ?? 0) > event.cpuSeconds;
    feed.set({ hello, frames: [...isNew ? [] : frames.slice(1 - KEPT), event], error: null });
  } else feed.set({ hello: event, frames, error: null });
}

/** After a while, or as soon as a key was entered. */
function later(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      forget();
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, AGAIN_MS);
    const forget = apiKey.listen(end);
    signal.addEventListener("abort", end);
  });
}
