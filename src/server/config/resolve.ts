/** From flags, environment and a configuration file to the options of a server. @module */

import { DRAFT_UNASKED, LOAD, STORE_KEY_BYTES } from "../../protocol/options/load.ts";
import { collect, flagOf, settableBy, settingName } from "../../protocol/options/option.ts";
import type { Kind } from "../../protocol/options/kind.ts";
import { type ApiKey, checkKeyRules, type KeyOptions } from "../accounts/rules.ts";
import { HEADER_LIMITS } from "../guard/headers.ts";
import { isApiKey, KEY_RULE, parseKeyFile } from "../guard/keys.ts";
import { defaultModelName } from "../model_name.ts";
import type { ServeModelsOptions, ServeOptions } from "../options.ts";
import { checkSettings, SettingError, type SettingFields } from "./check.ts";
import { type ServedModels, servedModels } from "./served_models.ts";
import {
  isFileOnly,
  KILOBYTE,
  MEGABYTE,
  type Setting,
  SETTINGS,
  type Settings,
  variableOf,
} from "./settings.ts";
import { printLine } from "../../process/print.ts";
import { checkRouting } from "../../routing/rules.ts";
import { checkPlace } from "../upstreams/connection.ts";
import type { RoutingOptions, UpstreamOptions, UpstreamSettings } from "../upstreams/options.ts";

/** A setting that cannot be; the message names where it was set. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Where settings come from. The first that has one counts: flags, environment, file. */
export interface ConfigSources {
  /** By flag. */
  readonly values: ReadonlyMap<string, string>;
  readonly switches: ReadonlySet<string>;
  readonly env: (name: string) => string | undefined;
  readonly readFile: (path: string) => string;
}

/** The file that holds settings, if any. */
export function configFile({ values, env }: ConfigSources): string | undefined {
  return values.get("config") ?? (env("KUMI_CONFIG") || undefined);
}

/** Throws a ConfigError. */
export function resolveSettings(sources: ConfigSources): Settings {
  const file = readConfig(sources);
  const given: Record<string, unknown> = {}, settings: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(SETTINGS)) {
    const flag = fromFlag(sources, name, setting), variable = fromVariable(sources, name, setting);
    given[name] = flag ?? variable ?? file[name];
    const value = given[name] ?? setting.fallback;
    const place = flag !== undefined
      ? `--${flagOf(name)}`
      : variable !== undefined
      ? variableOf(name)
      : `${configFile(sources)}: "${name}"`;
    checkText(place, setting, value);
    settings[name] = value;
  }
  checkNeeds(given);
  for (const [i, { keepAlive }] of ((settings.models ?? []) as { keepAlive?: string }[]).entries()) {
    checkText(`${configFile(sources)}: "models[${i}].keepAlive"`, SETTINGS.keepAlive, keepAlive);
  }
  const load = collect(settableBy("operator", LOAD), (option) => {
    const value = settings[settingName(option)];
    // A switch that is off leaves an option without a default to the system.
    return value === false && option.default === undefined ? undefined : value;
  });
  checkDrafts(load, (settings.models ?? []) as readonly Drafting[]);
  return { ...settings, load } as unknown as Settings;
}

/** What says how a model guesses ahead. */
interface Drafting {
  readonly draft?: string;
  readonly speculation?: string;
}

/** A draft model that nobody asks would only take memory. */
function checkDrafts({ speculation, draft }: Drafting, models: readonly Drafting[]): void {
  if (draft !== undefined && speculation === "off") {
    throw new ConfigError(`--draft and --speculation off: ${DRAFT_UNASKED}`);
  }
  for (const [i, { draft, speculation: own = speculation }] of models.entries()) {
    if (draft !== undefined && own === "off") {
      throw new ConfigError(`models[${i}]: "draft", and "speculation" is "off": ${DRAFT_UNASKED}`);
    }
  }
}

/** What would have no effect is a mistake of whoever set it. */
function checkNeeds(given: Readonly<Record<string, unknown>>): void {
  for (const [name, { needs }] of Object.entries(SETTINGS)) {
    if (needs === undefined || given[needs] !== undefined) continue;
    if (given[name] === undefined || given[name] === false) continue;
    throw new ConfigError(`--${flagOf(name)} needs --${flagOf(needs)} ${SETTINGS[needs].value}`);
  }
}

/**
 * The value stays as it is: a list of CPUs is read where the machine is known, when the server already
 * listens.
 */
function checkText(place: string, { read }: Setting, value: unknown): void {
  if (read === undefined || typeof value !== "string") return;
  try {
    read(value);
  } catch (error) {
    const { message } = error as Error;
    throw new ConfigError(`${place}${message.startsWith("must ") ? "" : ":"} ${message}`);
  }
}

function readConfig(sources: ConfigSources): Record<string, unknown> {
  const path = configFile(sources);
  if (path === undefined) return {};
  const text = read(sources, path, "configuration file");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ConfigError(`${path}: ${(error as Error).message}`);
  }
  // An editor's hint at the schema.
  const { $schema: _, ...fields } = value as Record<string, unknown>;
  return checked(
    SETTINGS,
    Array.isArray(value) ? value : fields,
    (message) => `${path}: ${message}`,
  );
}

function read({ readFile }: ConfigSources, path: string, what: string): string {
  try {
    return readFile(path);
  } catch (error) {
    throw new ConfigError(`cannot read the ${what} ${path}: ${(error as Error).message}`);
  }
}

function fromFlag({ values, switches }: ConfigSources, name: string, setting: Setting): unknown {
  const flag = flagOf(name);
  if (switches.has(flag)) return true;
  const text = values.get(flag);
  return text === undefined ? undefined : fromText(`--${flag}`, setting.kind, text);
}

function fromVariable({ env }: ConfigSources, name: string, setting: Setting): unknown {
  const variable = variableOf(name);
  const text = env(variable);
  if (text === undefined || text === "" || isFileOnly(setting)) return undefined;
  return fromText(variable, setting.kind, text);
}

const BOOLEANS: Readonly<Record<string, boolean>> = { "1": true, true: true, "0": false, false: false };

/** A value written as text. */
function fromText(label: string, kind: Kind, text: string): unknown {
  const value = kind.type === "number" || kind.type === "integer"
    ? numberOf(text)
    : kind.type === "boolean"
    ? BOOLEANS[text] ?? text
    : kind.type === "list"
    ? text.split(",").map((part) => part.trim())
    : text;
  return checked({ [label]: { kind } }, { [label]: value }, (message) => message.replaceAll('"', ""))[label];
}

/** A text that is no number stays what it is: the message shows it. */
function numberOf(text: string): number | string {
  const value = Number(text);
  return text.trim() === "" || Number.isNaN(value) ? text : value;
}

function checked(
  fields: SettingFields,
  value: unknown,
  write: (message: string) => string,
): Record<string, unknown> {
  try {
    return checkSettings(fields, value);
  } catch (error) {
    if (error instanceof SettingError) throw new ConfigError(write(error.message));
    throw error;
  }
}

/** The models that settings mean. Throws a ConfigError. */
export function modelsOf(settings: Settings): ServedModels {
  try {
    return servedModels(settings, defaultModelName);
  } catch (error) {
    if (error instanceof RangeError) throw new ConfigError(error.message);
    throw error;
  }
}

/** The options that settings mean, whatever they serve. Reads the keys. Throws a ConfigError. */
export function serveOptions(
  settings: Settings,
  sources: ConfigSources,
): Omit<ServeOptions, "model" | "modelName" | "aliases"> & Omit<ServeModelsOptions, "aliases"> {
  return {
    ...settings.load,
    ...settings.noPrefixCache ? { prefixCache: false } : {},
    ...settings.supervise ? { isolation: "process" } : {},
    hostname: settings.host,
    port: settings.port,
    ...keyOptions(settings, sources),
    usageFile: settings.usageFile,
    routing: routingOptions(settings, sources),
    insecure: settings.insecure,
    lenient: settings.lenient,
    allowHosts: settings.allowHost,
    cors: settings.cors,
    batches: batchOptions(settings),
    prefixStore: prefixStoreOptions(settings, sources),
    drainSeconds: settings.drainSeconds,
    canaryMs: settings.canarySeconds * 1000,
    gate: gateLimits(settings),
    headerLimits: { ...HEADER_LIMITS, bytes: Math.round(settings.headerKilobytes * KILOBYTE) },
    bodyLimits: {
      bytesMax: Math.round(settings.bodyMegabytes * MEGABYTE),
      timeMs: settings.bodySeconds * 1000,
    },
    streamLimits: { stalledMs: settings.stalledSeconds * 1000 },
    page: settings.noUi ? false : undefined,
    accessLog: settings.accessLog ? (line: string) => printLine(line) : undefined,
    isa: sources.env("KUMI_ISA") || undefined,
  };
}

function batchOptions(
  { batchDir, batchMegabytes, batchFiles, batchDays }: Settings,
): ServeOptions["batches"] {
  if (batchDir === undefined) return undefined;
  const bytesMax = Math.round(batchMegabytes * MEGABYTE);
  return { dir: batchDir, bytesMax, filesMax: batchFiles, days: batchDays };
}

function prefixStoreOptions(
  { prefixStore: dir, prefixStoreMegabytes, prefixStoreKey, noPrefixCache }: Settings,
  sources: ConfigSources,
): ServeOptions["prefixStore"] {
  if (dir === undefined) return undefined;
  if (noPrefixCache) {
    throw new ConfigError("--prefix-store needs the prefix cache, which --no-prefix-cache turns off");
  }
  const bytesMax = Math.round(prefixStoreMegabytes * MEGABYTE);
  if (prefixStoreKey === undefined) return { dir, bytesMax };
  const key = read(sources, prefixStoreKey, "key").trim();
  if (!isStoreKey(key)) throw new ConfigError(`${prefixStoreKey} has no key of 32 bytes in base64`);
  return { dir, bytesMax, key };
}

function isStoreKey(text: string): boolean {
  try {
    return Uint8Array.fromBase64(text).length === STORE_KEY_BYTES;
  } catch {
    return false;
  }
}

function gateLimits(settings: Settings): ServeOptions["gate"] {
  if (settings.noGate) return false;
  const { connectionsMax, connectionsPerAddress } = settings;
  return {
    headMs: settings.headerSeconds * 1000,
    headBytes: Math.round(settings.headerKilobytes * KILOBYTE),
    idleMs: settings.idleSeconds * 1000,
    stalledMs: settings.stalledSeconds * 1000,
    connectionsMax,
    ...connectionsPerAddress === undefined ? {} : { connectionsPerAddress },
  };
}

/** Keys and their rules. Reads the keys. Throws a ConfigError. */
function keyOptions(settings: Settings, sources: ConfigSources): Required<KeyOptions> {
  const apiKeys = readKeys(settings, sources);
  const { keys = [] } = settings;
  try {
    checkKeyRules({ apiKeys, keys });
  } catch (error) {
    throw new ConfigError((error as Error).message);
  }
  return { apiKeys, keys };
}

function readKeys({ apiKeys }: Settings, sources: ConfigSources): ApiKey[] {
  const listed = (sources.env("KUMI_API_KEYS") ?? "").split(",").map((key) => key.trim()).filter(Boolean);
  listed.forEach((key, i) => {
    if (!isApiKey(key)) throw new ConfigError(`KUMI_API_KEYS, key ${i + 1}: ${KEY_RULE}`);
  });
  const unnamed = listed.map((key) => ({ key }));
  if (apiKeys === undefined) return unnamed;
  const keys = parseKeyFile(read(sources, apiKeys, "file with API keys"));
  const places = new Map(listed.map((key) => [key, "in KUMI_API_KEYS"]));
  for (const { key, line } of keys) {
    if (!isApiKey(key)) throw new ConfigError(`${apiKeys}, line ${line}: ${KEY_RULE}`);
    // It would be under one of its names, and the rules of the other would not hold.
    const place = places.get(key);
    if (place !== undefined) {
      throw new ConfigError(`${apiKeys}, line ${line}: this key is ${place} already`);
    }
    places.set(key, `in line ${line}`);
  }
  if (keys.length === 0) throw new ConfigError(`${apiKeys} has no API keys`);
  return [...unnamed, ...keys.map(({ line: _, ...key }) => key)];
}

/** Undefined where there are no upstreams. */
function routingOptions(settings: Settings, sources: ConfigSources): RoutingOptions | undefined {
  const { upstreams = [], routing = {} } = settings;
  if (upstreams.length === 0) {
    if (settings.routing === undefined) return undefined;
    throw new ConfigError("routing: there are no upstreams to which it could send anything");
  }
  const { keys = [], ...rules } = routing;
  const named = readKeys(settings, sources);
  const keyData = keys.flatMap(({ name, data }) => {
    const having = named.filter((each) => each.name === name);
    // A key whose label is lost would let its data go.
    if (having.length === 0) {
      throw new ConfigError(`routing.keys: no API key is called "${name}" in the key file`);
    }
    return having.map(({ key }) => ({ key, data }));
  });
  const options = { ...rules, keyData, upstreams: upstreams.map((each) => withKey(each, sources)) };
  try {
    checkRouting(options);
    options.upstreams.forEach(checkPlace);
    options.upstreams.forEach((upstream) => checkOther(upstream, settings));
  } catch (error) {
    throw new ConfigError((error as Error).message);
  }
  return options;
}

/** Throws a RangeError for an upstream that is the server itself. */
function checkOther({ name, url }: UpstreamOptions, { host, port }: Settings): void {
  const there = new URL(url);
  if (port === 0 || there.protocol !== "http:" || Number(there.port || 80) !== port) return;
  const local = ["localhost", "127.0.0.1", "[::1]"];
  const own = /^(0\.0\.0\.0|\[?::\]?)$/.test(host)
    ? [host, ...local]
    : local.includes(host)
    ? ["localhost", host]
    : [host];
  if (!own.includes(there.hostname)) return;
  throw new RangeError(
    `Upstream "${name}": "url" is this server itself, current value is ${JSON.stringify(url)}`,
  );
}

/** An upstream with its key, from wherever it lies. */
function withKey(
  { keyFile, keyEnv, ...upstream }: UpstreamSettings,
  sources: ConfigSources,
): UpstreamOptions {
  const where = `upstream "${upstream.name}"`;
  if (keyFile !== undefined && keyEnv !== undefined) {
    throw new ConfigError(`${where}: "keyFile" and "keyEnv" both say where its key is: give one`);
  }
  if (keyFile !== undefined) {
    const key = read(sources, keyFile, `file with the key of ${where}`).trim();
    if (key === "") throw new ConfigError(`${where}: ${keyFile} has no key`);
    return { ...upstream, key };
  }
  if (keyEnv === undefined) return upstream;
  const key = sources.env(keyEnv)?.trim();
  if (!key) throw new ConfigError(`${where}: the environment variable ${keyEnv} has no key`);
  return { ...upstream, key };
}
