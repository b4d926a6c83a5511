/** The models that a server can load, by their names. @module */

import { noSuchModel } from "../models.ts";
import { checkNames, type SharedModel } from "./entry.ts";
import { modelsIn } from "./folder.ts";

/** At most so many names stand in the message about one that there is not. */
const NAMES_TOLD_MAX = 20;

/** Those that were named, and those that a folder has at the moment. */
export class Catalog {
  readonly #named: readonly SharedModel[];
  readonly #folder?: string;
  readonly #extra: ReadonlyMap<string, readonly string[]>;
  #all!: readonly SharedModel[];
  /** By name and alias. */
  readonly #byName = new Map<string, SharedModel>();

  /**
   * `aliases`: further names, and whose they are. Throws a RangeError for names that cannot be or that two
   * models have, for an alias of a model that there is not, and where there is no model at all; Deno's errors
   * for a folder that cannot be read.
   */
  constructor(
    named: readonly SharedModel[],
    folder?: string,
    aliases: Readonly<Record<string, string>> = {},
  ) {
    this.#named = named;
    this.#folder = folder;
    const extra = Map.groupBy(Object.keys(aliases), (alias) => aliases[alias]);
    this.#extra = extra;
    this.refresh();
    for (const [name, others] of extra) {
      if (this.#all.some((each) => each.name === name)) continue;
      throw new RangeError(
        `${JSON.stringify(others[0])} is to be another name of ${JSON.stringify(name)}, which is no model`,
      );
    }
    if (this.#all.length > 0) return;
    throw new RangeError(
      folder === undefined ? "There is no model to serve" : `There are no models in ${folder}`,
    );
  }

  /** Whether files may come into its folder. */
  get mayGrow(): boolean {
    return this.#folder !== undefined;
  }

  get all(): readonly SharedModel[] {
    return this.#all;
  }

  /** Looks into the folder again. */
  refresh(): void {
    const named = new Set(this.#named.flatMap(({ name, aliases = [] }) => [name, ...aliases]));
    const found = this.#folder === undefined ? [] : modelsIn(this.#folder);
    const all = [...this.#named, ...found.filter(({ name }) => !named.has(name))];
    const known = all.map((each) => {
      const { name, aliases = [] } = each;
      return { ...each, aliases: [...aliases, ...this.#extra.get(name) ?? []] };
    });
    if (this.#all === undefined) checkNames(known);
    this.#all = known;
    this.#byName.clear();
    for (const each of known) {
      for (const name of each.aliases) this.#byName.set(name, each);
    }
    for (const each of known) this.#byName.set(each.name, each);
  }

  /** The model of a name, the first one where there is none. Throws an ApiError, 404. */
  find(name?: string): SharedModel {
    if (name === undefined) return this.#all[0] ?? noSuchModel([]);
    let found = this.#byName.get(name);
    if (found === undefined && this.#folder !== undefined) {
      this.#look();
      found = this.#byName.get(name);
    }
    return found ?? noSuchModel(this.#all.slice(0, NAMES_TOLD_MAX).map((each) => each.name));
  }

  /** The name of the model that has this one as its name or as another; undefined where none has, as far as is known. */
  nameOf(name: string): string | undefined {
    return this.#byName.get(name)?.name;
  }

  /** All as they are now. */
  list(): readonly SharedModel[] {
    if (this.#folder !== undefined) this.#look();
    return this.#all;
  }

  /** A folder that cannot be read at the moment has what it had. */
  #look(): void {
    try {
      this.refresh();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
    }
  }
}
