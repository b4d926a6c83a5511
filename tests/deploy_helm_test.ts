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
const USUAL = ["Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"];

async function render(helm: string, values: readonly string[]): Promise<string> {
  const flags = values.flatMap((value) => ["--set", value]);
  const done = await capture([helm, "template", "kumi", CHART, ...flags]);
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

testWithPrograms("options in the chart are options of kumi serve", ["helm"], async ([helm]) => {
  const { serve } = await import("../src/cli/commands/serve.ts");
  const known = new Set(serve.options.map(({ name }) => `--${name}`));
  const text = await render(helm, ["apiKeysSecret=keys", "model.name=fast"]) + await render(helm, []);
  const used = [...text.matchAll(/^ +- (--[a-z-]+)/gm)].map(([, name]) => name);
  assert(used.length > 8);
  assertEquals(used.filter((name) => !known.has(name)), []);
});
