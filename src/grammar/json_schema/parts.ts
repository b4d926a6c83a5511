/** What schemas say together of an object's members and an array's items. @module */

import { accepts, type Dfa } from "../automata/dfa.ts";
import { searchDfa } from "../automata/regex.ts";
import { Budget } from "../error.ts";
import type { Node, Schema, SchemaDocument } from "./document.ts";
import { cached, codePoints } from "./strings.ts";
import type { Atom, Atoms, ObjectPart, View } from "./view.ts";

/** Nodes as atoms. */
export function childrenOf(nodes: readonly Node[]): Atoms {
  return nodes.map((node) => ({ node, without: "" }));
}

/** The automaton of a pattern of names. */
export function patternDfa(source: string): Dfa {
  return cached(`p${source}`, () => searchDfa(source, new Budget(400_000, "The pattern")));
}

/** The schemas of a member by its name, of one part. */
export function memberSchemas(part: ObjectPart, name: string): [Schema, ...(string | number)[]][] {
  const schemas: [Schema, ...(string | number)[]][] = [];
  if (Object.hasOwn(part.properties, name)) schemas.push([part.properties[name], "properties", name]);
  for (const [source, schema] of Object.entries(part.patterns)) {
    if (accepts(patternDfa(source), codePoints(name))) schemas.push([schema, "patternProperties", source]);
  }
  if (schemas.length === 0 && part.additional !== undefined) {
    schemas.push([part.additional, "additionalProperties"]);
  }
  return schemas;
}

/** What holds of the member of a name. */
export function keyAtoms(document: SchemaDocument, view: View, name: string): Atoms {
  return view.objects.flatMap((part) =>
    memberSchemas(part, name).map(([schema, ...path]): Atom => ({
      node: document.child(part.node, schema, ...path),
      without: "",
    }))
  );
}

/** What holds of the item of a number. */
export function itemAtoms(document: SchemaDocument, view: View, i: number): Atoms {
  return view.arrays.flatMap((part): Atom[] => {
    if (i < part.prefix.length) {
      return [{ node: document.child(part.node, part.prefix[i], part.prefixKeyword, i), without: "" }];
    }
    if (part.rest === undefined) return [];
    return [{ node: document.child(part.node, part.rest, part.restKeyword), without: "" }];
  });
}
