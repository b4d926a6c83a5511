/** JSON Schema's official suite, where it is there. @module */

import { ROOT } from "../../src/setup/paths.ts";

const SUITE = `${ROOT}/../shared/data/json-schema-suite/tests`;
export const hasSuite = await Deno.stat(SUITE).then(() => true, () => false);

/** Instances of one schema. */
export interface Group {
  readonly description: string;
  readonly schema: unknown;
  readonly tests: readonly {
    readonly description: string;
    readonly data: unknown;
    readonly valid: boolean;
  }[];
}

/** All groups of a draft with their files' names; schemas of draft 7 say that they are. */
export async function* groupsOf(draft: string, folder = draft): AsyncGenerator<[string, Group]> {
  for await (const { name, isDirectory } of Deno.readDir(`${SUITE}/${folder}`)) {
    if (isDirectory) yield* groupsOf(draft, `${folder}/${name}`);
    else if (name.endsWith(".json")) {
      for (const group of JSON.parse(await Deno.readTextFile(`${SUITE}/${folder}/${name}`)) as Group[]) {
        const { schema } = group;
        const isOlder = draft === "draft7" && typeof schema === "object";
        yield [
          name,
          isOlder
            ? { ...group, schema: { $schema: "http://json-schema.org/draft-07/schema#", ...schema } }
            : group,
        ];
      }
    }
  }
}
