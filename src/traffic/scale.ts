import { randomFrom } from "../loadtest/random.ts";
import type { Traffic, TrafficRequest } from "./traffic.ts";

/** How traffic is changed before it is played. */
export interface ScaleOptions {
  /** So many times as fast. Default 1. */
  readonly speed?: number;
  /** So many times as many users. Default 1. */
  readonly users?: number;
  /** Of the draw of requests and of the users' times. Default 1. */
  readonly seed?: number;
}

/** A block with which at least this share of the requests, and so many of them, begin is common to all users. */
const COMMON_SHARE = 0.01, COMMON_MIN = 10;
/** Added users come earlier or later by at most this share of the traffic's time. */
const SHIFT_SHARE = 0.05;
const SHIFT_MS_MAX = 30 * 60_000;

/**
 * The same traffic at another load. `speed` divides all times. `users` adds copies: each is all of the
 * traffic, moved by up to 5 % of its time or half an hour, whichever is less, so that hours stay what they
 * are; what moves beyond an end comes in at the other. Of a fraction, requests are drawn at random. A copy
 * shares with others only the blocks with which one request in a hundred, and ten of them, begin, such as
 * system prompts: its conversations are its own.
 */
export function scaleTraffic(traffic: Traffic, { speed = 1, users = 1, seed = 1 }: ScaleOptions): Traffic {
  if (!(speed > 0) || !(users > 0)) {
    throw new RangeError(`Speed and users must be above 0, current values are ${speed} and ${users}`);
  }
  const random = randomFrom(seed);
  const { requests } = traffic;
  const copies = Array.from({ length: Math.ceil(users) }, (_, copy) => {
    const share = Math.min(1, users - copy);
    const drawn = share === 1 ? requests : requests.filter(() => random() < share);
    return copy === 0 ? drawn : moveCopy(drawn, traffic, { copy, random: random() });
  });
  const all = copies.flat().map((request) => ({ ...request, atMs: request.atMs / speed }));
  return { ...traffic, requests: all.sort((a, b) => a.atMs - b.atMs) };
}

function moveCopy(
  drawn: readonly TrafficRequest[],
  { requests }: Traffic,
  { copy, random }: { copy: number; random: number },
): TrafficRequest[] {
  if (requests.length === 0) return [];
  const startMs = requests[0].atMs, spanMs = requests[requests.length - 1].atMs - startMs;
  const shiftMs = (2 * random - 1) * Math.min(SHIFT_SHARE * spanMs, SHIFT_MS_MAX);
  const { common, count } = commonBlocks(requests);
  return drawn.map((request) => {
    const moved = spanMs === 0 ? 0 : ((request.atMs - startMs + shiftMs) % spanMs + spanMs) % spanMs;
    const blocks = request.blocks?.map((block) => common.has(block) ? block : block + copy * count);
    return { ...request, atMs: startMs + moved, ...blocks === undefined ? {} : { blocks } };
  });
}

/** Blocks that are common to all users, and a number above all that there are. */
function commonBlocks(requests: readonly TrafficRequest[]): { common: ReadonlySet<number>; count: number } {
  const uses = new Map<number, number>();
  let count = 0;
  for (const { blocks = [] } of requests) {
    for (const block of blocks) {
      uses.set(block, (uses.get(block) ?? 0) + 1);
      count = Math.max(count, block + 1);
    }
  }
  const least = Math.max(COMMON_MIN, COMMON_SHARE * requests.length);
  return { common: new Set(uses.entries().filter(([, n]) => n >= least).map(([block]) => block)), count };
}
