/** All keys of a server, and whose they are. Keys and rules change while it runs. @module */

import { ApiKeys, tenantOf } from "../guard/keys.ts";
import { Account } from "./account.ts";
import { asApiKey, checkKeyRules, type KeyOptions, OTHERS } from "./rules.ts";

/** Enough of the hash of a key to tell it from others. */
const TENANT_SHOWN = 8;

/** Who may use a server. */
export class Accounts {
  #keys!: ApiKeys;
  /** By name. Those of keys that are gone stay: what they have used counts on if they come back. */
  readonly #byName = new Map<string, Account>();
  /** By tenant. Requests of keys that are gone may still be under way. */
  readonly #byTenant = new Map<string, Account>();

  /** Throws a RangeError for keys and rules that cannot be. */
  constructor(options: KeyOptions = {}) {
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

  all(): Account[] {
    return [...this.#byName.values()];
  }

  /**
   * From now on there are these keys and rules. What was counted stays, and so do requests under way. Throws a RangeError for what
   * cannot be, and then changes nothing.
   */
  replace({ apiKeys = [], keys = [] }: KeyOptions): void {
    checkKeyRules({ apiKeys, keys });
    const given = apiKeys.map(asApiKey);
    this.#keys = new ApiKeys(given.map(({ key }) => key));
    const rules = new Map(keys.map((each) => [each.name, each]));
    const rulesOf = (name: string) => rules.get(name) ?? rules.get(OTHERS) ?? { name };
    for (const [name, account] of this.#byName) account.rules = rulesOf(name);
    for (const { key, name } of given) {
      const tenant = tenantOf(key);
      const own = name ?? `key-${tenant.slice(0, TENANT_SHOWN)}`;
      this.#byTenant.set(tenant, this.#byName.getOrInsertComputed(own, () => new Account(own, rulesOf(own))));
    }
  }
}
