import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConfigError, type ConfigSources, modelsOf, resolveSettings, serveOptions } from "./resolve.ts";
import { servePermissions } from "./permissions.ts";
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
  assertEquals(serveOptions(resolveSettings(given), given).apiKeys, [
    { key: "from-env-1" },
    { key: "from-file-1", name: "me" },
  ]);
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
    '--cpus: A list of CPUs is like "0-3,8": "3-1" ends before it begins',
  );
  assertEquals(
    wrong({ flags: { "api-keys": "none.txt" } }),
    "cannot read the file with API keys none.txt: no such file",
  );
});

Deno.test("resolveSettings() refuses what has no effect without another setting", () => {
  const needing = Object.entries(SETTINGS).filter(([, { needs }]) => needs !== undefined);
  assert(needing.length >= 8);
  for (const [name, { kind, needs, value: word }] of needing) {
    const value = kind.type === "boolean" ? true : kind.type === "string" ? "x" : 1;
    const alone = sources({ flags: { config: "c" }, files: { c: JSON.stringify({ [name]: value }) } });
    assertThrows(
      () => resolveSettings(alone),
      ConfigError,
      `--${flagOf(name)} needs --${flagOf(needs!)} ${SETTINGS[needs!].value}`,
    );
    const both = { [name]: value, [needs!]: "y" };
    const given = sources({ flags: { config: "c" }, files: { c: JSON.stringify(both) } });
    assertEquals((resolveSettings(given) as unknown as typeof both)[name], value, word);
  }
  resolveSettings(sources({ flags: { config: "c" }, files: { c: '{"auditText":false}' } }));
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

const UPSTREAM = { name: "gpu", url: "https://gpu.example.org/v1", models: [{ name: "m" }], data: "public" };

function routing(file: object, { env = {}, files = {}, flags = {} }: Given = {}) {
  const all = sources({
    flags: { config: "c", ...flags },
    env,
    files: { c: JSON.stringify(file), ...files },
  });
  return serveOptions(resolveSettings(all), all).routing;
}
const refused = (...of: Parameters<typeof routing>) =>
  assertThrows(() => routing(...of), ConfigError).message;

Deno.test("serveOptions() reads upstreams with their keys from files and variables", () => {
  assertEquals(routing({}), undefined);
  const upstreams = [
    { ...UPSTREAM, keyFile: "k", price: { promptPerMillion: 1, answerPerMillion: 2 }, caps: { perDay: 3 } },
    { ...UPSTREAM, name: "own", keyEnv: "OWN_KEY", kind: "kumi", url: "http://[::1]:9000" },
  ];
  const given = { env: { OWN_KEY: "of-env" }, files: { k: " of-file\n" } };
  const options = routing({
    upstreams,
    routing: { way: "fastest", rules: [{ classes: ["batch"], way: "here" }] },
  }, given)!;
  assertEquals(
    options.upstreams.map(({ name, key, price, kind }) => [name, key, price?.answerPerMillion, kind]),
    [
      ["gpu", "of-file", 2, undefined],
      ["own", "of-env", undefined, "kumi"],
    ],
  );
  assertEquals([options.way, options.rules?.length, options.keyData], ["fastest", 1, []]);
  assert(!JSON.stringify(options).includes("keyFile"));
});

Deno.test("serveOptions() gives labels to API keys by their names, and refuses a name that none has", () => {
  const file = { upstreams: [UPSTREAM], routing: { keys: [{ name: "finance dept", data: "private" }] } };
  const flags = { "api-keys": "keys" };
  const files = { keys: "key-of-finance finance dept\nother-key-1" };
  assertEquals(routing(file, { flags, files })!.keyData, [{ key: "key-of-finance", data: "private" }]);
  assertEquals(
    refused(file, { flags, files: { keys: "key-of-finance finance" } }),
    'routing.keys: no API key is called "finance dept" in the key file',
  );
});

Deno.test("serveOptions() names what is wrong with upstreams, and writes no key", () => {
  const of = (more: object) => ({ upstreams: [{ ...UPSTREAM, ...more }] });
  assertEquals(refused({ routing: {} }), "routing: there are no upstreams to which it could send anything");
  assertEquals(refused({ upstreams: [{ name: "a" }] }), 'c: "upstreams[0].models" is missing');
  assertEquals(refused(of({ urk: 1 })), 'c: There is no field "upstreams[0].urk" here');
  assertEquals(
    refused(of({ data: "private" })),
    'c: "upstreams[0].data" must be one of "public", "internal", current value is "private"',
  );
  assertEquals(
    refused(of({ url: "file:///etc/passwd" })),
    'Upstream "gpu": "url" must begin with http:// or https://, current value is "file:///etc/passwd"',
  );
  for (
    const [host, url] of [["127.0.0.1", "http://localhost:8080/v1"], ["0.0.0.0", "http://127.0.0.1:8080"]]
  ) {
    assertEquals(
      refused({ host, upstreams: [{ ...UPSTREAM, url }] }),
      `Upstream "gpu": "url" is this server itself, current value is "${url}"`,
    );
  }
  for (const url of ["https://user:secret-pass@host/v1", "https://host/v1?key=secret-pass"]) {
    assert(!refused(of({ url })).includes("secret-pass"));
  }
  const broken = refused(of({ keyEnv: "K" }), { env: { K: "secret\r\nx: y" } });
  assert(broken.includes("its key must have") && !broken.includes("secret"), broken);
  assertEquals(refused(of({ keyEnv: "K" })), 'upstream "gpu": the environment variable K has no key');
  assertEquals(refused(of({ keyFile: "k" }), { files: { k: "\n" } }), 'upstream "gpu": k has no key');
  assertEquals(
    refused(of({ keyFile: "k", keyEnv: "K" })),
    'upstream "gpu": "keyFile" and "keyEnv" both say where its key is: give one',
  );
  const rule = { upstreams: [UPSTREAM], routing: { rules: [{ upstreams: ["gpv"] }] } };
  assertEquals(refused(rule), 'rules[0]: there is no upstream "gpv"');
  assertEquals(refused({ upstreams: [UPSTREAM, UPSTREAM] }), 'Two upstreams are called "gpu"');
});

Deno.test("servePermissions() opens the hosts of upstreams and what has their keys, and nothing else", () => {
  const upstreams = [
    { ...UPSTREAM, keyFile: "gpu.key" },
    { ...UPSTREAM, name: "own", url: "http://10.0.0.5/v1", keyEnv: "OWN_KEY" },
  ];
  const given = sources({ flags: { config: "c" }, files: { c: JSON.stringify({ upstreams }) } });
  const paths = { root: null, library: "lib", cache: null, deno: "/bin/deno", hubHosts: "hub" };
  const flags = servePermissions(resolveSettings(given), given, paths);
  const flag = (name: string) =>
    flags.find((each) => each.startsWith(`--allow-${name}=`))!.split("=")[1].split(",");
  assertEquals(flag("net").slice(-2), ["gpu.example.org:443", "10.0.0.5:80"]);
  assertEquals(flag("env"), ["KUMI_*", "HF_*", "XDG_*", "HOME", "OWN_KEY"]);
  assert(flag("read").includes("gpu.key"));
});

Deno.test("modelsOf() reads one model as it was, with a name and others where they are given", () => {
  const of = (given: Given) => modelsOf(resolve(given));
  assertEquals(of({}), { isShared: false, model: "demo", modelName: undefined, aliases: [] });
  assertEquals(of({ flags: { model: "a.gguf", alias: "gpt-4o=a" } }), {
    ...{ isShared: false, model: "a.gguf", modelName: undefined },
    aliases: ["gpt-4o"],
  });
  const named = { isShared: false as const, model: "dir/x=y.gguf", modelName: "llama3:8b", aliases: [] };
  assertEquals(of({ flags: { model: "llama3:8b=dir/x=y.gguf" } }), named);
  for (const path of ["./x=y.gguf", "dir/x=y.gguf", "/x=y.gguf", "hf:o/r/x=y.gguf", ".\\x=y"]) {
    assertEquals(of({ env: { KUMI_MODEL: path } }), {
      ...{ isShared: false, model: path, modelName: undefined, aliases: [] },
    });
  }
});

Deno.test("modelsOf() reads several models from flags and the configuration file, each with what is its own", () => {
  const of = (given: Given) => modelsOf(resolve(given));
  const several = of({ flags: { model: "a=x.gguf\ny.gguf", alias: "b=a,c=y", "keep-alive": "1h30m" } });
  assertEquals(several, {
    isShared: true,
    models: [{ name: "a", model: "x.gguf" }, { name: "y", model: "y.gguf" }],
    modelsDir: undefined,
    aliases: { b: "a", c: "y" },
    keepAliveMs: 5_400_000,
    memoryBytes: undefined,
    loadWaitMs: undefined,
  });
  const file = {
    models: [{
      name: "n",
      model: "m",
      aliases: ["o"],
      keepAlive: "-1",
      context: 64,
      prefault: true,
      noPrefixCache: true,
    }],
    modelsDir: "dir",
    memoryMegabytes: 1.5,
    loadWaitSeconds: 1,
  };
  const { models, ...rest } = of({ flags: { config: "c" }, files: { c: JSON.stringify(file) } }) as {
    models: readonly unknown[];
  };
  assertEquals(models, [{
    ...{ name: "n", model: "m", aliases: ["o"], keepAliveMs: Infinity },
    ...{ contextLength: 64, kv: { prefault: true }, prefixCache: false },
  }]);
  assertEquals(rest as unknown, {
    ...{ isShared: true, modelsDir: "dir", aliases: {}, keepAliveMs: undefined },
    ...{ memoryBytes: 1_572_864, loadWaitMs: 1000 },
  });
  assertThrows(
    () => of({ flags: { "memory-megabytes": "500" } }),
    ConfigError,
    "--memory-megabytes is what several models share",
  );
  assertThrows(
    () => of({ flags: { "load-wait-seconds": "5" } }),
    ConfigError,
    "--load-wait-seconds is for models that come and go",
  );
  // One model that comes and goes.
  const [demo] = (of({ flags: { "keep-alive": "5m" } }) as { models: readonly unknown[] }).models;
  assertEquals(demo, { name: "demo", model: "demo" });
});

Deno.test("modelsOf() and resolveSettings() name what is wrong with models", () => {
  const wrong = (given: Given) => assertThrows(() => modelsOf(resolve(given)), ConfigError).message;
  assertEquals(wrong({ flags: { alias: "x" } }), "--alias must be NAME=MODEL, current value is x");
  for (const model of ["=demo", "a=", "=", "b=demo\na="]) {
    assertEquals(
      wrong({ flags: { model } }),
      `--model must be MODEL or NAME=MODEL, current value is ${model.split("\n").at(-1)}`,
    );
  }
  assertEquals(
    wrong({ flags: { alias: "x=y" } }),
    "--alias: x is to be another name of y, which is no model here",
  );
  assertEquals(
    wrong({ flags: { model: "a\nb", "model-name": "c" } }),
    "--model-name names one model: of several write --model NAME=MODEL",
  );
  assertEquals(
    wrong({ flags: { "keep-alive": "soon" } }),
    "--keep-alive must be a duration such as 5m, 1h30m or 90 (seconds), current value is soon",
  );
  assertEquals(
    wrong({ flags: { draft: "demo", speculation: "off" } }),
    "--draft and --speculation off: a draft model is never asked where nothing is guessed",
  );
  const file = (value: unknown) => wrong({ flags: { config: "c" }, files: { c: JSON.stringify(value) } });
  assertEquals(file({ upstreams: {} }), 'c: "upstreams" must be a list, current value is an object');
  assert(
    file({ speculation: "off", models: [{ name: "a", model: "b", draft: "c" }] }).startsWith("models[0]:"),
  );
  assertEquals(file({ models: [{ name: "a" }] }), 'c: "models[0].model" is missing');
  assertEquals(
    file({ models: [{ name: "a", model: "b", port: 1 }] }),
    'c: There is no field "models[0].port" here',
  );
  assert(
    file({ models: [{ name: "a", model: "b", keepAlive: "x" }] }).startsWith(
      'c: "models[0].keepAlive" must be',
    ),
  );
});
