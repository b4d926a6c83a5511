/** All keys of a server, and whose they are. Keys and rules change while it runs. @module */

import { ApiKeys, tenantOf } from "../guard/keys.ts";
import { oneLine } from "../../process/harmless.ts";
import { printNote } from "../../process/print.ts";
import { Account } from "./account.ts";
import {
  asApiKey,
  checkKeyRules,
  checkRuleNames,
  type KeyOptions,
  type KnownNames,
  OTHERS,
} from "./rules.ts";

/** Enough of the hash of a key to tell it from others. */
const TENANT_SHOWN = 8;

/** Who may use a server. */
export class Accounts {
  #keys!: ApiKeys;
  #options: KeyOptions = {};
  /** Those of the keys that count. */
  #tenants: ReadonlySet<string> = new Set();
  /** By name. Those of keys that are gone stay: what they have used counts on if they come back. */
  readonly #byName = new Map<string, Account>();
  /** By tenant. Requests of keys that are gone may still be under way. */
  readonly #byTenant = new Map<string, Account>();

  readonly #known?: KnownNames;

  /** `known`: names that rules may have; default: any. Throws a RangeError for keys and rules that cannot be. */
  constructor(options: KeyOptions = {}, known?: KnownNames) {
    this.#known = known;
    this.replace(options);
  }

  /** Whether no key is needed. */
  get isOpen(): boolean {
    return this.#keys.isOpen;
  }

  /** Whose request it is; see {@linkcode ApiKeys.tenant}. */
  tenant(headers: Headers, others?: readonly string[]): string {
    return this.#keys.tenant(headers, others);
  }

  /** undefined: no key was needed. */
  of(tenant: string): Account | undefined {
    return this.#byTenant.get(tenant);
  }

  /** Whether a tenant's key counts at the moment. */
  knows(tenant: string): boolean {
    return this.#tenants.has(tenant);
  }

  all(): Account[] {
    return [...this.#byName.values()];
  }

  /**
   * From now on there are these keys and rules; what is not given stays. What was counted stays, and so do requests under way. Throws a
   * RangeError for what cannot be, and then changes nothing: above all for no keys where there were some.
   */
  replace(changes: KeyOptions): void {
    const { apiKeys = this.#options.apiKeys ?? [], keys = this.#options.keys ?? [] } = changes;
    checkKeyRules({ apiKeys, keys });
    const notes = this.#known === undefined ? [] : checkRuleNames(keys, this.#known);
    const given = apiKeys.map(asApiKey);
    const isOpened = given.length === 0 && (this.#options.apiKeys ?? []).length > 0;
    if (isOpened) throw new RangeError("Without any API keys the server would be open to all");
    this.#keys = new ApiKeys(given.map(({ key }) => key));
    for (const note of notes) printNote(`kumi: ${oneLine(note)}`);
    this.#options = { apiKeys, keys };
    const rules = new Map(keys.map((each) => [each.name, each]));
    const rulesOf = (name: string) => rules.get(name) ?? rules.get(OTHERS) ?? { name };
    for (const [name, account] of this.#byName) account.rules = rulesOf(name);
    const tenants = given.map(({ key }) => tenantOf(key));
    this.#tenants = new Set(tenants);
    for (const [i, { name }] of given.entries()) {
      const tenant = tenants[i];
      const own = name ?? `key-${tenant.slice(0, TENANT_SHOWN)}`;
      this.#byTenant.set(tenant, this.#byName.getOrInsertComputed(own, () => new Account(own, rulesOf(own))));
    }
  }
}
