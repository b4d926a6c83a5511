/** What V8's heap snapshots say of how many objects there are. @module */

interface Snapshot {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: readonly string[];
      readonly node_types: readonly (readonly string[])[];
    };
  };
  readonly nodes: readonly number[];
  readonly strings: readonly string[];
}

/** How many objects and functions of each name a heap has. */
export async function heapObjects(path: string): Promise<Map<string, number>> {
  const { snapshot: { meta }, nodes, strings }: Snapshot = JSON.parse(await Deno.readTextFile(path));
  const [typeAt, nameAt] = ["type", "name"].map((field) => meta.node_fields.indexOf(field));
  const wanted = ["object", "closure"].map((type) => meta.node_types[typeAt].indexOf(type));
  const counts = new Map<string, number>();
  for (let node = 0; node < nodes.length; node += meta.node_fields.length) {
    if (!wanted.includes(nodes[node + typeAt])) continue;
    const name = strings[nodes[node + nameAt]];
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

/** How many more objects `after` has in all, and the names that grew most. */
export function growth(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): { readonly objects: number; readonly names: string } {
  const total = (counts: ReadonlyMap<string, number>) =>
    counts.values().reduce((sum, count) => sum + count, 0);
  const grown = after.entries().map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const)
    .filter(([, more]) => more > 0).toArray().sort(([, a], [, b]) => b - a);
  return {
    objects: total(after) - total(before),
    names: grown.slice(0, 8).map(([name, more]) => `${more} ${name || "functions"}`).join(", "),
  };
}
