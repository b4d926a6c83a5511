import { assertEquals, assertThrows } from "@std/assert";
import type { ServerChanges } from "../options.ts";
import { Reloader } from "./reload.ts";
import { ConfigError, type ConfigSources, resolveSettings } from "./resolve.ts";

/** Sources whose files change. */
function reloading(files: Record<string, string>, flags: Record<string, string> = { config: "c" }) {
  const sources: ConfigSources = {
    values: new Map(Object.entries(flags)),
    switches: new Set(),
    env: () => undefined,
    readFile: (path) => {
      if (files[path] === undefined) throw new Error("no such file");
      return files[path];
    },
  };
  const reloader = new Reloader(sources, resolveSettings(sources));
  const applied: ServerChanges[] = [];
  return { files, applied, reload: () => reloader.reload((changes) => applied.push(changes)) };
}

const UPSTREAM = {
  name: "gpu",
  url: "https://gpu.example.org/v1",
  models: [{ name: "large" }],
  data: "internal",
};

Deno.test("Reloader.reload() gives keys and what else counts at once, and names what waits for a start", () => {
  const start = { apiKeys: "k", drainSeconds: 5, port: 1, context: 64, cors: ["https://a"] };
  const { files, applied, reload } = reloading({ c: JSON.stringify(start), k: "key-of-shop-1 shop" });
  assertEquals([reload().changed, reload().waiting], [[], []]);
  files.k = "key-of-shop-2 shop\nkey-of-desk-1 desk";
  files.c = JSON.stringify({
    ...{ apiKeys: "k", drainSeconds: 6, port: 2, context: 128, bodyMegabytes: 1 },
    keys: [{ name: "desk", requestsPerMinute: 3 }],
  });
  const { changed, waiting } = reload();
  assertEquals(changed, ["keys", "cors", "drainSeconds", "bodyMegabytes"]);
  assertEquals(waiting, ["port", "context"]);
  const { apiKeys, keys, cors, drainSeconds, bodyLimits, allowHosts } = applied.at(-1)!;
  assertEquals(apiKeys, [{ key: "key-of-shop-2", name: "shop" }, { key: "key-of-desk-1", name: "desk" }]);
  assertEquals([keys, cors, allowHosts, drainSeconds], [[{ name: "desk", requestsPerMinute: 3 }], [], [], 6]);
  assertEquals(bodyLimits?.bytesMax, 2 ** 20);
  // What waits is told again, what has changed is not.
  assertEquals([reload().changed, reload().waiting], [[], ["port", "context"]]);
});

Deno.test("Reloader.reload() gives keys their labels, and leaves upstreams as they are", () => {
  const routed = (data: string, more = {}) =>
    JSON.stringify({
      apiKeys: "k",
      upstreams: [UPSTREAM],
      routing: { keys: [{ name: "shop", data }], ...more },
    });
  const { files, applied, reload } = reloading({ c: routed("internal"), k: "key-of-shop-1 shop" });
  files.c = routed("private");
  assertEquals(reload().waiting, []);
  assertEquals(applied[0].keyData, [{ key: "key-of-shop-1", data: "private" }]);
  files.c = routed("private", { way: "fastest" });
  assertEquals(reload().waiting, ["routing"]);
});

Deno.test("Reloader.reload() changes nothing where a file is wrong or the server refuses", () => {
  const { files, applied, reload } = reloading({ c: '{"drainSeconds":5,"apiKeys":"k"}', k: "key-of-shop-1" });
  const refused = (wrong: Record<string, string | undefined>) => {
    const before = { ...files };
    Object.assign(files, wrong);
    const { message } = assertThrows(reload, ConfigError);
    Object.assign(files, before);
    return message;
  };
  assertEquals(
    refused({ c: '{"drainSeconds":-5}' }),
    'c: "drainSeconds" must be a number from 0 to 86400, current value is -5',
  );
  assertEquals(refused({ k: "" }), "k has no API keys");
  assertEquals(refused({ k: undefined }), "cannot read the file with API keys k: no such file");
  assertEquals(
    refused({ c: '{"apiKeys":"k","keys":[{"name":"shop"}]}' }),
    'keys: no API key is called "shop"',
  );
  assertEquals(applied, []);
  const sources: ConfigSources = {
    values: new Map([["config", "c"]]),
    switches: new Set(),
    env: () => undefined,
    readFile: () => '{"drainSeconds":7}',
  };
  const reloader = new Reloader(
    sources,
    resolveSettings({ ...sources, readFile: () => '{"drainSeconds":6}' }),
  );
  assertThrows(() =>
    reloader.reload(() => {
      throw new RangeError("no");
    }), RangeError);
  assertEquals(reloader.reload(() => {}).changed, ["drainSeconds"]);
});
