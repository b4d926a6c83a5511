/** Values of JSON with their members in other orders. @module */

/** Objects with more members keep their order. */
export const ORDERED_MAX = 5;

/**
 * All orders of a few members of any object in a value, as texts: an answer is one of them. (As values they could not
 * be told apart: JavaScript puts names that are numbers first.)
 */
export function orders(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [JSON.stringify(value)];
  if (Array.isArray(value)) return joined(value.map(orders)).map((items) => `[${items}]`);
  const members = Object.entries(value).map(([name, member]) =>
    orders(member).map((text) => `${JSON.stringify(name)}:${text}`)
  );
  const orderings = members.length > ORDERED_MAX ? [members] : permutations(members);
  return bounded(orderings.flatMap((each) => joined(each).map((items) => `{${items}}`)));
}

/** One of each list after another, in all ways. */
function joined(lists: readonly (readonly string[])[]): string[] {
  return lists.reduce<string[]>(
    (texts, list, i) =>
      bounded(texts.flatMap((text) => list.map((each) => i === 0 ? each : `${text},${each}`))),
    [""],
  );
}

function permutations<T>(all: readonly T[]): T[][] {
  return all.length === 0
    ? [[]]
    : all.flatMap((first) =>
      permutations(all.filter((each) => each !== first)).map((rest) => [first, ...rest])
    );
}

const ORDERS_MAX = 3000;
const bounded = <T>(list: T[]): T[] => list.slice(0, ORDERS_MAX);
