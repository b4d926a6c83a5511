/** The chart of deploy/helm: it renders in every form, and what it renders is what Kubernetes knows. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ROOT } from "../src/setup/paths.ts";
import { capture } from "../src/setup/process.ts";
import { testWithPrograms } from "./support/optional.ts";

const CHART = `${ROOT}/deploy/helm/kumi`;
/** Values, and kinds that come with them beside the usual ones. */
const FORMS: readonly (readonly [string[], string[]])[] = [
  [[], []],
  [["autoscaling.kind=hpa", "apiKeysSecret=keys"], ["HorizontalPodAutoscaler"]],
  [["autoscaling.kind=keda", "model.name=fast"], ["ScaledObject"]],
  [["inferencePool.enabled=true", "args={--kv,q8_0}"], ["InferencePool"]],
];
/** The oldest that the chart is for, and new ones. */
const KUBERNETES = ["1.27", "1.31", "1.37"];
/** Kinds of others: their definitions are in their modules of Go. */
const DEFINITIONS = [
  [
    "sigs.k8s.io/gateway-api-inference-extension@v1.0.0",
    "config/crd/bases/inference.networking.k8s.io_inferencepools.yaml",
  ],
  ["github.com/kedacore/keda/v2@v2.16.0", "config/crd/bases/keda.sh_scaledobjects.yaml"],
];
const USUAL = ["Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"];

/** What `helm template` makes: it knows of no cluster here and has to be told the version of one. */
async function template(helm: string, values: readonly string[], version = KUBERNETES[0]) {
  const flags = values.flatMap((value) => ["--set", value]);
  return await capture([helm, "template", "kumi", CHART, "--kube-version", `${version}.0`, ...flags]);
}

async function render(helm: string, values: readonly string[], version?: string): Promise<string> {
  const done = await template(helm, values, version);
  assertEquals(done?.code, 0, done?.stderr);
  return done!.stdout;
}

testWithPrograms("the chart is well-formed and renders what it should", ["helm"], async ([helm]) => {
  const lint = await capture([helm, "lint", "--strict", CHART]);
  assertEquals(lint?.code, 0, `${lint?.stdout}${lint?.stderr}`);
  for (const [values, kinds] of FORMS) {
    const text = await render(helm, values);
    const found = [...text.matchAll(/^kind: (\w+)$/gm)].map(([, kind]) => kind);
    assertEquals(new Set(found), new Set([...USUAL, ...kinds]), values.join());
    assertStringIncludes(text, "readOnlyRootFilesystem: true");
    assert(
      text.includes("--insecure") !== text.includes("--api-keys"),
      "keys, or the word that there are none",
    );
  }
});

testWithPrograms("values that the chart does not have are refused", ["helm"], async ([helm]) => {
  for (const value of ["replica=3", "autoscaling.kind=vpa", "model.file="]) {
    const done = await template(helm, [value]);
    assert(done?.code !== 0, value);
    assertStringIncludes(done!.stderr, value.split(/[.=]/)[0]);
  }
});

testWithPrograms("options in the chart are options of kumi serve", ["helm"], async ([helm]) => {
  const { serve } = await import("../src/cli/commands/serve.ts");
  const known = new Set(serve.options.map(({ name }) => `--${name}`));
  const text = await render(helm, ["apiKeysSecret=keys", "model.name=fast"]) + await render(helm, []);
  const used = [...text.matchAll(/^ +- (--[a-z-]+)/gm)].map(([, name]) => name);
  assert(used.length > 8);
  assertEquals(used.filter((name) => !known.has(name)), []);
});

/** Paths of the definitions; null where the modules cannot be had. */
async function definitions(go: string): Promise<string[] | null> {
  const paths: string[] = [];
  for (const [module, path] of DEFINITIONS) {
    // In no module of its own, so that nothing is written into one.
    const done = await capture([go, "mod", "download", "-json", module], { cwd: "/" });
    if (done?.code !== 0) return null;
    paths.push(`${JSON.parse(done.stdout).Dir}/${path}`);
  }
  return paths;
}

async function validate(
  python: string,
  files: readonly string[],
  manifests: string,
  version = KUBERNETES[0],
) {
  const script = `${ROOT}/tests/support/validate_manifests.py`;
  const command = new Deno.Command(python, {
    args: [script, version, ...files],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
  const child = command.spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(manifests));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

testWithPrograms(
  "every object of the chart is what Kubernetes, KEDA and the inference extension know",
  ["helm", "kubernetesValidate", "go"],
  async ([helm, validator, go]) => {
    const files = await definitions(go);
    if (files === null) return console.log("skipped: no modules of Go can be fetched");
    const python = `${validator.replace(/[^/]*$/, "")}python3`;
    for (const version of KUBERNETES) {
      for (const [values, kinds] of FORMS) {
        const manifests = await render(helm, values, version);
        const { code, text } = await validate(python, files, manifests, version);
        assertEquals(code, 0, text);
        for (const kind of [...USUAL, ...kinds]) assertStringIncludes(text, `${kind}=1`);
      }
    }
    const wrong = (await render(helm, ["inferencePool.enabled=true"]))
      .replace("targetPorts:", "targetPort:").replace("maxUnavailable:", "maxUnavailabel:");
    const { code, text } = await validate(python, files, wrong);
    assertEquals(code, 1, text);
    for (const word of ["'targetPort' was unexpected", "'maxUnavailabel' was unexpected"]) {
      assertStringIncludes(text, word);
    }
  },
);
