/** Values of JSON with their members in other orders. @module */

/** All orders of a few members of any object in a value: an answer has one of them. */
export function orders(value: unknown): unknown[] {
  if (typeof value !== "object" || value === null) return [value];
  if (Array.isArray(value)) {
    return value.reduce<unknown[][]>(
      (lists, item) => bounded(lists.flatMap((list) => orders(item).map((each) => [...list, each]))),
      [[]],
    );
  }
  const permute = (names: string[]): string[][] =>
    names.length === 0
      ? [[]]
      : names.flatMap((name) => permute(names.filter((one) => one !== name)).map((rest) => [name, ...rest]));
  const names = Object.keys(value);
  const named = names.length > 5 ? [names] : permute(names);
  const members = new Map(Object.entries(value).map(([name, member]) => [name, orders(member)]));
  return bounded(named.flatMap((order) =>
    order.reduce<Record<string, unknown>[]>(
      (objects, name) =>
        bounded(objects.flatMap((object) => members.get(name)!.map((each) => ({ ...object, [name]: each })))),
      [{}],
    )
  ));
}

const ORDERS_MAX = 3000;
const bounded = <T>(list: T[]): T[] => list.slice(0, ORDERS_MAX);
