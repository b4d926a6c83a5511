/** Settings read again while a server runs: what counts at once, and what counts from its next start. @module */

import type { ServerChanges } from "../options.ts";
import { type ConfigSources, resolveSettings, serveOptions } from "./resolve.ts";
import { SETTINGS, type Settings } from "./settings.ts";

/** Settings that count at once. Of `routing` it is the keys' labels. */
const AT_ONCE = [
  "apiKeys",
  "keys",
  "allowHost",
  "cors",
  "drainSeconds",
  "bodyMegabytes",
  "bodySeconds",
  "stalledSeconds",
] as const satisfies readonly (keyof Settings)[];

/** What became of settings that were read again: names and numbers, which anybody may see. */
export interface Reloaded {
  /** API keys that there are now. */
  readonly keys: number;
  /** Names of settings that are no longer what they were, and count at once. */
  readonly changed: readonly string[];
  /** Names of settings that are not what the server was started with, and that only a start changes. */
  readonly waiting: readonly string[];
}

/** Reads the settings of a running server again. */
export class Reloader {
  readonly #sources: ConfigSources;
  readonly #started: Settings;
  #last: Settings;

  /** `started`: what the server was started with. */
  constructor(sources: ConfigSources, started: Settings) {
    this.#sources = sources;
    this.#started = this.#last = started;
  }

  /** Throws a ConfigError for files that cannot be read or that are wrong. `apply` may throw, too: then it is as if nothing was read. */
  reload(apply: (changes: ServerChanges) => void): Reloaded {
    const settings = resolveSettings(this.#sources);
    const { apiKeys, keys, allowHosts = [], cors = [], drainSeconds, bodyLimits, streamLimits, routing } =
      serveOptions(
        settings,
        this.#sources,
      );
    const keyData = routing?.keyData ?? [];
    const changes = { apiKeys, keys, allowHosts, cors, drainSeconds, bodyLimits, streamLimits, keyData };
    apply(changes);
    const changed = AT_ONCE.filter((name) => differ(settings[name], this.#last[name]));
    this.#last = settings;
    return { keys: apiKeys?.length ?? 0, changed, waiting: this.#waiting(settings) };
  }

  #waiting(settings: Settings): string[] {
    const others = Object.keys(SETTINGS).filter((name) => !(AT_ONCE as readonly string[]).includes(name));
    const valueOf = (of: Settings, name: string) =>
      name === "routing"
        ? { ...of.routing, keys: undefined }
        : (of as unknown as Record<string, unknown>)[name];
    return others.filter((name) => differ(valueOf(settings, name), valueOf(this.#started, name)));
  }
}

function differ(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) !== JSON.stringify(b);
}
