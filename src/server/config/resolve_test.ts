import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConfigError, type ConfigSources, resolveSettings, serveOptions } from "./resolve.ts";
import { LOAD } from "../../protocol/options/load.ts";
import { flagOf, type NamedOption, settableBy, settingName } from "../../protocol/options/option.ts";
import { SETTINGS, variableOf } from "./settings.ts";

interface Given {
  flags?: Record<string, string>;
  switches?: string[];
  env?: Record<string, string>;
  files?: Record<string, string>;
}

function sources({ flags = {}, switches = [], env = {}, files = {} }: Given): ConfigSources {
  return {
    values: new Map(Object.entries(flags)),
    switches: new Set(switches),
    env: (name) => env[name],
    readFile: (path) => {
      if (files[path] === undefined) throw new Error("no such file");
      return files[path];
    },
  };
}

const resolve = (given: Given) => resolveSettings(sources(given));
const problem = (given: Given) => assertThrows(() => resolve(given), ConfigError).message;

Deno.test("resolveSettings() takes flags before the environment before the file before defaults", () => {
  const files = { "c.json": '{"$schema":"x","port":1,"host":"h","model":"m.gguf","drainSeconds":5}' };
  const env = { KUMI_PORT: "2", KUMI_HOST: "e", KUMI_CONFIG: "c.json" };
  const { port, host, model, drainSeconds, canarySeconds } = resolve({ flags: { port: "3" }, env, files });
  assertEquals([port, host, model, drainSeconds, canarySeconds], [3, "e", "m.gguf", 5, 60]);
  assertEquals(resolve({ switches: ["insecure"] }).insecure, true);
  assertEquals([resolve({}).lenient, resolve({ switches: ["lenient"] }).lenient], [undefined, true]);
  assertEquals(resolve({ env: { KUMI_INSECURE: "0", KUMI_ALLOW_HOST: "a, b" } }).allowHost, ["a", "b"]);
});

Deno.test("resolveSettings() names where a wrong setting stands", () => {
  assertEquals(
    problem({ flags: { port: "x" } }),
    "--port must be an integer from 0 to 65535, current value is x",
  );
  assertEquals(
    problem({ env: { KUMI_PORT: "70000" } }),
    "KUMI_PORT must be an integer from 0 to 65535, current value is 70000",
  );
  const file = (text: string) => problem({ flags: { config: "c" }, files: { c: text } });
  assertEquals(file('{"port":"1"}'), 'c: "port" must be an integer from 0 to 65535, current value is "1"');
  assertEquals(file('{"prot":1}'), 'c: There is no field "prot" here');
  assertEquals(file("[]"), "c: It must be an object, it is a list");
  assert(file("{").startsWith("c: "));
  assert(file('{"classes":[{"name":"a"}]}').startsWith('c: "classes[0].priority" is missing'));
  assertEquals(problem({ flags: { config: "d" } }), "cannot read the configuration file d: no such file");
});

Deno.test("serveOptions() reads keys from a file and the environment", () => {
  const given = sources({
    flags: { "api-keys": "k" },
    env: { KUMI_API_KEYS: "from-env-1" },
    files: { k: "from-file-1 me" },
  });
  assertEquals(serveOptions(resolveSettings(given), given).apiKeys, ["from-env-1", "from-file-1"]);
  const empty = sources({ flags: { "api-keys": "k" }, files: { k: "# none" } });
  assertThrows(() => serveOptions(resolveSettings(empty), empty), ConfigError, "k has no API keys");
  const wrong = (given: Given) => {
    const all = sources(given);
    return assertThrows(() => serveOptions(resolveSettings(all), all), ConfigError).message;
  };
  const rule = "an API key has 8 to 512 printable characters without spaces";
  assertEquals(
    wrong({ flags: { "api-keys": "k.txt" }, files: { "k.txt": "# mine\nlong-enough\nshort me" } }),
    `k.txt, line 3: ${rule}`,
  );
  assertEquals(wrong({ env: { KUMI_API_KEYS: "long-enough,short" } }), `KUMI_API_KEYS, key 2: ${rule}`);
  assertEquals(
    wrong({ flags: { cpus: "3-1" } }),
    'cpus: A list of CPUs is like "0-3,8": "3-1" ends before it begins',
  );
  assertEquals(
    wrong({ flags: { "api-keys": "none.txt" } }),
    "cannot read the file with API keys none.txt: no such file",
  );
});

Deno.test("flags and variables have names of their own", () => {
  const names = Object.keys(SETTINGS);
  assertEquals([flagOf("drainSeconds"), variableOf("drainSeconds")], ["drain-seconds", "KUMI_DRAIN_SECONDS"]);
  assertEquals(new Set(names.map(flagOf)).size, names.length);
  assertEquals(new Set(names.map(variableOf)).size, names.length);
  assert(!names.map(variableOf).includes("KUMI_API_KEYS"));
});

/** A value that is not the default, as text and as the configuration file has it. */
function sampleOf({ kind }: NamedOption): [string, unknown] | null {
  if (kind.type === "number" || kind.type === "integer") return [`${kind.min}`, kind.min];
  if (kind.type === "boolean") return ["true", true];
  if (kind.type === "string" && kind.values !== undefined) return [kind.values.at(-1)!, kind.values.at(-1)];
  return kind.type === "own" ? ["0", "0"] : null;
}

Deno.test("every load option that may be set about a server arrives from its flag, its variable and the file", () => {
  let tried = 0;
  for (const option of settableBy("operator", LOAD)) {
    const sample = sampleOf(option);
    // Latency classes can only stand in the file.
    if (sample === null) continue;
    tried++;
    const [text, value] = sample;
    const name = settingName(option), flag = flagOf(name);
    const isSwitch = option.kind.type === "boolean";
    const wanted = option.within === undefined ? value : { [option.name]: value };
    for (
      const given of [
        isSwitch ? { switches: [flag] } : { flags: { [flag]: text } },
        { env: { [variableOf(name)]: text } },
        { flags: { config: "c" }, files: { c: JSON.stringify({ [name]: value }) } },
      ]
    ) {
      const all = sources(given);
      const options = serveOptions(resolveSettings(all), all) as unknown as Record<string, unknown>;
      assertEquals([name, options[option.within ?? option.name]], [name, wanted]);
    }
  }
  assert(tried >= 10);
});
