import type { Arrival } from "../loadtest/arrivals.ts";
import { exponentialMs, randomFrom } from "../loadtest/random.ts";
import { lengthAt } from "./lengths.ts";
import type { Profile, ProfilePart } from "./profiles.ts";

/** Tokens of a block of a prompt that others may have, too. */
export const PROFILE_BLOCK_TOKENS = 64;

/** A load of fewer says nothing, however slow the machine: these come within its time. */
const REQUESTS_MIN = 2;

/** Of the conversations that are under way, so many may be gone on with. */
const CONVERSATIONS_MAX = 64;

const STRATA = 20;

/** What has been said in a conversation. */
interface Conversation {
  readonly blocks: readonly number[];
  readonly tokens: number;
}

/**
 * Requests of a profile: a Poisson process of `perSecond` for `seconds`, the same for the same seed. At
 * another rate the requests are the same, only nearer together, so that two loads differ in nothing else.
 *
 * A request goes on with an earlier conversation with the odds that its part's `turns` say: its prompt then
 * begins with what was said there, as far as its own length, drawn as all others are, has room for it.
 */
export function profileArrivals(
  { parts }: Profile,
  { perSecond, seconds, seed }: { perSecond: number; seconds: number; seed: number },
): Arrival[] {
  const random = randomFrom(seed);
  const makers = parts.map((part, i) => new PartMaker(part, randomFrom(seed + 7919 * (i + 1)), i));
  const arrivals: Arrival[] = [];
  for (
    let atMs = exponentialMs(random, perSecond);
    atMs < seconds * 1000 || arrivals.length < REQUESTS_MIN;
    atMs += exponentialMs(random, perSecond)
  ) {
    let left = random() * parts.reduce((sum, { share }) => sum + share, 0);
    const chosen = parts.findIndex(({ share }) => (left -= share) < 0);
    arrivals.push({
      atMs: Math.min(atMs, seconds * 1000),
      ...makers[chosen < 0 ? parts.length - 1 : chosen].make(),
    });
  }
  return arrivals;
}

/**
 * Numbers in (0, 1), of which each run of {@linkcode STRATA} has one in every part of as many: the lengths of a short
 * load are then spread as those of a long one, and loads differ less by luck.
 */
class Strata {
  readonly #random: () => number;
  #left: number[] = [];

  constructor(random: () => number) {
    this.#random = random;
  }

  next(): number {
    if (this.#left.length === 0) this.#left = Array.from({ length: STRATA }, (_, i) => i);
    const [part] = this.#left.splice(Math.floor(this.#random() * this.#left.length), 1);
    return (part + this.#random()) / STRATA;
  }
}

class PartMaker {
  readonly #part: ProfilePart;
  readonly #random: () => number;
  readonly #conversations: Conversation[] = [];
  readonly #instructions: readonly number[];
  readonly #promptStrata: Strata;
  readonly #answerStrata: Strata;
  #nextBlock: number;
  readonly #firstDocument: number;
  readonly #popularity: number;

  constructor(part: ProfilePart, random: () => number, index: number) {
    this.#part = part;
    this.#random = random;
    this.#promptStrata = new Strata(random);
    this.#answerStrata = new Strata(random);
    // Names of blocks must not be those of another part.
    const base = 1e6 * (index + 1);
    const instructions = Math.floor(part.instructionTokens / PROFILE_BLOCK_TOKENS);
    this.#instructions = Array.from({ length: instructions }, (_, i) => base + i);
    this.#firstDocument = base + 1000;
    this.#nextBlock = base + 500_000;
    this.#popularity = Array.from({ length: part.documents }, (_, i) => 1 / (i + 1))
      .reduce((sum, each) => sum + each, 0);
  }

  make(): Omit<Arrival, "atMs"> {
    const { class: name, prompts, answers, turns } = this.#part;
    const promptTokens = lengthAt(prompts, this.#promptStrata.next());
    const maxTokens = lengthAt(answers, this.#answerStrata.next());
    const goesOn = this.#random() < 1 - 1 / turns && this.#conversations.length > 0;
    const place = Math.floor(this.#random() * this.#conversations.length);
    const before = goesOn ? this.#conversations[place] : { blocks: this.#instructions, tokens: 0 };
    const room = Math.floor(promptTokens / PROFILE_BLOCK_TOKENS);
    const shared = [...before.blocks, ...this.#document()].slice(0, room);
    const own = Array.from({ length: room - shared.length }, () => this.#nextBlock++);
    const blocks = [...shared, ...own];
    if (turns > 1) this.#keep({ blocks, tokens: promptTokens }, goesOn ? place : -1);
    return { class: name, promptTokens, maxTokens, blocks, blockTokens: PROFILE_BLOCK_TOKENS };
  }

  /** The blocks of a popular document, if the part has any. */
  #document(): number[] {
    const { documents } = this.#part;
    if (documents === 0) return [];
    let left = this.#random() * this.#popularity;
    let chosen = 0;
    while (chosen < documents - 1 && (left -= 1 / (chosen + 1)) > 0) chosen++;
    // Documents of up to 15 blocks.
    const blocks = 1 + chosen % 15;
    return Array.from({ length: blocks }, (_, i) => this.#firstDocument + 16 * chosen + i);
  }

  #keep(conversation: Conversation, place: number): void {
    if (place >= 0) this.#conversations[place] = conversation;
    else if (this.#conversations.length < CONVERSATIONS_MAX) this.#conversations.push(conversation);
    else this.#conversations[Math.floor(this.#random() * CONVERSATIONS_MAX)] = conversation;
  }
}
