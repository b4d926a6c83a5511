import { exponentialMs, randomFrom } from "./random.ts";

/** A request that is to be sent. */
export interface Arrival {
  /** Ms since the load began. */
  readonly atMs: number;
  readonly class: string;
  readonly promptTokens: number;
  readonly maxTokens: number;
  /** Names of the blocks of `blockTokens` tokens that the prompt begins with: equal names, equal text. */
  readonly blocks?: readonly number[];
  /** Default 512. */
  readonly blockTokens?: number;
}

/** A class of requests and its share of them. The lengths come from a recording where there is one. */
export interface ClassShare {
  readonly name: string;
  readonly share: number;
  readonly promptTokens?: number;
  readonly maxTokens?: number;
}

/**
 * Reads "name:share" or "name:share:in/out", several separated by commas. Throws a RangeError that says what
 * is wrong; shares need not add up to 1.
 */
export function parseClasses(text: string): ClassShare[] {
  return text.split(",").map((part) => {
    const match = /^([\w.-]+):(\d*\.?\d+)(?::(\d+)\/(\d+))?$/.exec(part.trim());
    if (match === null) {
      throw new RangeError(`A class must be like interactive:0.5:64/64, current value is ${part}`);
    }
    const [, name, share, input, output] = match;
    if (!(Number(share) > 0)) throw new RangeError(`The share of class ${name} must be above 0`);
    const lengths = input === undefined
      ? {}
      : { promptTokens: Math.max(1, Number(input)), maxTokens: Math.max(1, Number(output)) };
    return { name, share: Number(share), ...lengths };
  });
}

/** Chooses a class by its share. */
export function chooseClass<T extends { readonly share: number }>(
  classes: readonly T[],
  random: () => number,
): T {
  let left = random() * classes.reduce((sum, { share }) => sum + share, 0);
  return classes.find(({ share }) => (left -= share) < 0) ?? classes[classes.length - 1];
}

/** Arrivals of a Poisson process, `perSecond` on average, for so many seconds. */
export function poissonArrivals(
  classes: readonly ClassShare[],
  { perSecond, seconds, seed }: { perSecond: number; seconds: number; seed: number },
): Arrival[] {
  const random = randomFrom(seed);
  const arrivals: Arrival[] = [];
  for (
    let atMs = exponentialMs(random, perSecond);
    atMs < seconds * 1000;
    atMs += exponentialMs(random, perSecond)
  ) {
    const { name, promptTokens, maxTokens } = chooseClass(classes, random);
    if (promptTokens === undefined || maxTokens === undefined) {
      throw new RangeError(`Class ${name} needs lengths, such as ${name}:1:64/64`);
    }
    arrivals.push({ atMs, class: name, promptTokens, maxTokens });
  }
  return arrivals;
}
