/**
 * Runs every benchmark in the files named once, without `deno bench`, which would repeat them. Prints their
 * names.
 */

const benches: Deno.BenchDefinition[] = [];
Deno.bench = ((bench: Deno.BenchDefinition) => benches.push(bench)) as unknown as typeof Deno.bench;
const context = { name: "", origin: "", start() {}, end() {} };

for (const file of Deno.args) {
  benches.length = 0;
  await import(file);
  for (const { name, fn } of benches) {
    await fn(context);
    console.log(name);
  }
}
