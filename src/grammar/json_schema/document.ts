/** A schema's document: what its references lead to. @module */

import { GrammarError } from "../error.ts";

export type SchemaObject = { readonly [keyword: string]: unknown };
export type Schema = boolean | SchemaObject;

/** A schema, where it stands, and what references in it are relative to. */
export interface Node {
  readonly id: number;
  readonly schema: Schema;
  /** A JSON pointer from the document's root. */
  readonly path: string;
  readonly base: string;
}

const DEPTH_MAX = 500;
const NODES_MAX = 200_000;
/** Keywords whose value is a schema, a list of schemas, schemas by name. */
const ONE = new Set([
  "additionalItems",
  "additionalProperties",
  "contains",
  "contentSchema",
  "else",
  "if",
  "items",
  "not",
  "propertyNames",
  "then",
  "unevaluatedItems",
  "unevaluatedProperties",
]);
const LISTS = new Set(["allOf", "anyOf", "oneOf", "prefixItems", "items"]);
const NAMED = new Set([
  "$defs",
  "definitions",
  "dependencies",
  "dependentSchemas",
  "patternProperties",
  "properties",
]);
const ROOT = "kumi:/root";

/** Finds schemas by reference; made of a whole document. Throws a GrammarError where it is none, or too large. */
export class SchemaDocument {
  readonly root: Node;
  /** Draft 7 and before: what stands beside `$ref` means nothing. */
  readonly refStandsAlone: boolean;
  readonly #nodes = new Map<object, Node>();
  /** By absolute URI, with a fragment where it names an anchor. */
  readonly #named = new Map<string, Node>();
  #count = 0;

  constructor(schema: unknown) {
    const declared = isObject(schema) ? schema.$schema : undefined;
    this.refStandsAlone = typeof declared === "string" && /draft-0[3-7]/.test(declared);
    this.root = this.#read(schema, "", ROOT, 0);
    if (!this.#named.has(ROOT)) this.#named.set(ROOT, this.root);
  }

  /** The node of a schema inside of another one. */
  child(parent: Node, schema: unknown, ...path: (string | number)[]): Node {
    const place = parent.path + path.map((part) => `/${escapePointer(String(part))}`).join("");
    if (isObject(schema)) {
      const known = this.#nodes.get(schema);
      if (known !== undefined) return known;
    }
    return this.#read(schema, place, parent.base, 0);
  }

  /** A schema that no document has. */
  made(schema: SchemaObject, path: string): Node {
    return { id: ++this.#count, schema, path, base: this.root.base };
  }

  /** What `$ref` in a node leads to. */
  resolve(node: Node, reference: unknown): Node {
    const path = `${node.path}/$ref`;
    if (typeof reference !== "string") throw new GrammarError("$ref is not a string", path);
    const url = URL.parse(reference, node.base);
    if (url === null) throw new GrammarError(`$ref ${JSON.stringify(reference)} is no reference`, path);
    const fragment = decode(url.hash.slice(1), path);
    url.hash = "";
    const base = this.#named.get(url.href);
    if (base === undefined) {
      throw new GrammarError(
        `$ref ${JSON.stringify(reference)} leads out of the schema, which is not supported`,
        path,
      );
    }
    if (fragment === "") return base;
    if (!fragment.startsWith("/")) {
      const anchor = this.#named.get(`${url.href}#${fragment}`);
      if (anchor === undefined) {
        throw new GrammarError(`$ref ${JSON.stringify(reference)} leads nowhere`, path);
      }
      return anchor;
    }
    return this.#point(base, fragment, reference, path);
  }

  #point(base: Node, pointer: string, reference: string, path: string): Node {
    let value: unknown = base.schema;
    let nearest = base;
    for (const part of pointer.slice(1).split("/")) {
      const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
      value = Array.isArray(value) || isObject(value) && Object.hasOwn(value, key)
        ? (value as Record<string, unknown>)[key]
        : undefined;
      if (value === undefined) {
        throw new GrammarError(`$ref ${JSON.stringify(reference)} leads nowhere`, path);
      }
      if (isObject(value)) nearest = this.#nodes.get(value) ?? nearest;
    }
    if (isObject(value)) {
      const known = this.#nodes.get(value);
      if (known !== undefined) return known;
    }
    return this.#read(value, base.path + pointer, nearest.base, 0);
  }

  #read(schema: unknown, path: string, base: string, depth: number): Node {
    if (++this.#count > NODES_MAX) throw new GrammarError(`The schema has more than ${NODES_MAX} parts`);
    if (depth > DEPTH_MAX) {
      throw new GrammarError(`The schema is nested more than ${DEPTH_MAX} deep`, path.slice(0, 60));
    }
    if (typeof schema === "boolean") return { id: this.#count, schema, path, base };
    if (!isObject(schema)) {
      throw new GrammarError(`A schema is an object or a boolean, current value is ${shown(schema)}`, path);
    }
    const known = this.#nodes.get(schema);
    if (known !== undefined) return known;
    const own = this.#baseOf(schema, base, path);
    const node: Node = { id: this.#count, schema, path, base: own };
    this.#nodes.set(schema, node);
    this.#name(node, own !== base || depth === 0 && path === "");
    this.#readChildren(node, depth);
    return node;
  }

  #baseOf(schema: SchemaObject, base: string, path: string): string {
    const id = schema.$id;
    if (typeof id !== "string" || this.refStandsAlone && "$ref" in schema) return base;
    const url = URL.parse(id, base);
    if (url === null) throw new GrammarError(`$id ${JSON.stringify(id)} is no reference`, path);
    if (url.hash !== "" && url.hash !== "#") return base; // an anchor, as draft 7 writes it
    url.hash = "";
    return url.href;
  }

  #name(node: Node, isResource: boolean): void {
    const { $id, $anchor, $dynamicAnchor } = node.schema as SchemaObject;
    if (isResource) this.#named.set(node.base, node);
    if (typeof $id === "string" && $id.includes("#") && !$id.endsWith("#")) {
      const url = URL.parse($id, node.base);
      if (url !== null) this.#named.set(url.href, node);
    }
    for (const anchor of [$anchor, $dynamicAnchor]) {
      if (typeof anchor === "string") this.#named.set(`${node.base}#${anchor}`, node);
    }
  }

  #readChildren(node: Node, depth: number): void {
    for (const [keyword, value] of Object.entries(node.schema as SchemaObject)) {
      const at = (...parts: (string | number)[]) =>
        `${node.path}/${[keyword, ...parts].map((part) => escapePointer(String(part))).join("/")}`;
      if (LISTS.has(keyword) && Array.isArray(value)) {
        value.forEach((item, i) => this.#read(item, at(i), node.base, depth + 1));
      } else if (ONE.has(keyword) && (isObject(value) || typeof value === "boolean")) {
        this.#read(value, at(), node.base, depth + 1);
      } else if (NAMED.has(keyword) && isObject(value)) {
        for (const [name, item] of Object.entries(value)) {
          if (keyword === "dependencies" && Array.isArray(item)) continue;
          this.#read(item, at(name), node.base, depth + 1);
        }
      }
    }
  }
}

export function isObject(value: unknown): value is SchemaObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value for a message, cut where it is long. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

export function escapePointer(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}

function decode(text: string, path: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new GrammarError(`$ref has a fragment that cannot be read: ${shown(text)}`, path);
  }
}
