/** The KV cache as a map: one cell for a block, in their order. @module */

import { useEffect, useRef } from "preact/hooks";
import type { FeedWorker } from "../../feed.ts";
import { theme } from "../core/preferences.ts";
import { useStore } from "../core/store.ts";
import { bytes } from "../core/units.ts";
import { count, fill, useWords } from "../core/words.ts";

type Kv = NonNullable<FeedWorker["engine"]>["kv"];

const CELL = 9;
const GAP = 1;
/** Colours of tenants: their numbers go around. */
const TENANTS = 4;

export function KvMap({ kv, worker }: { kv: Kv; worker: number }) {
  const words = useWords();
  const canvas = useRef<HTMLCanvasElement>(null);
  const chosenTheme = useStore(theme);
  useEffect(() => {
    const { current } = canvas;
    const redraw = () => current !== null && draw(current, kv);
    redraw();
    const observer = new ResizeObserver(redraw);
    observer.observe(current!.parentElement!);
    return () => observer.disconnect();
  }, [kv, chosenTheme]);
  const shares = sharesOf(kv);
  const facts = fill(words.kvFacts, {
    used: bytes(kv.allocatedBytes - kv.cachedBytes),
    cached: bytes(kv.cachedBytes),
    all: bytes(kv.reservedBytes),
    runs: count(kv.stretches.filter(({ state }) => state !== "free").length),
  });
  return (
    <div class="kv">
      <div class="kv-box">
        <canvas ref={canvas} role="img" aria-label={`${fill(words.workerN, { n: worker })}: ${facts}`} />
      </div>
      <ul class="legend">
        {(["used", "shared", "cached", "free"] as const).map((state) => (
          <li key={state} class={`kv-${state}`}>{words.kvStates[state]} {count(100 * shares[state], 0)} %</li>
        ))}
      </ul>
      <p class="muted">{facts}</p>
    </div>
  );
}

function sharesOf({ stretches }: Kv): Record<Kv["stretches"][number]["state"], number> {
  const blocks = { used: 0, shared: 0, cached: 0, free: 0 };
  let all = 0;
  for (const each of stretches) {
    blocks[each.state] += each.blocks;
    all += each.blocks;
  }
  for (const state of Object.keys(blocks) as (keyof typeof blocks)[]) blocks[state] /= Math.max(1, all);
  return blocks;
}

function draw(canvas: HTMLCanvasElement, { stretches }: Kv): void {
  const width = Math.max(100, canvas.parentElement!.clientWidth);
  const all = stretches.reduce((sum, { blocks }) => sum + blocks, 0);
  // Large caches have smaller cells: the map must stay a map.
  const cell = all > 6000 ? 4 : all > 2500 ? 6 : CELL;
  const columns = Math.floor((width + GAP) / (cell + GAP));
  const height = Math.max(1, Math.ceil(all / columns)) * (cell + GAP);
  const scale = devicePixelRatio;
  canvas.width = width * scale;
  canvas.height = height * scale;
  canvas.style.height = `${height}px`;
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const context = canvas.getContext("2d")!;
  context.scale(scale, scale);
  const colours = { free: colour("raised"), cached: colour("kv-cached"), shared: colour("good") };
  let block = 0;
  for (const { state, blocks, tenant = 0 } of stretches) {
    context.fillStyle = state === "used" ? colour(`class-${tenant % TENANTS}`) : colours[state];
    for (const end = block + blocks; block < end; block++) {
      const x = block % columns * (cell + GAP), y = Math.floor(block / columns) * (cell + GAP);
      context.fillRect(x, y, cell, cell);
    }
  }
}
