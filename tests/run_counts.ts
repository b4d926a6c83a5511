/** Reads how many tests passed from what the test runners print. @module */

/** Numbers of tests. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** Removes terminal colours. */
export function stripColors(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/\x1b\[[0-9;]*[A-Za-z]/g, "");
}

/** Counts of `deno test`: "ok | 12 passed (3 steps) | 0 failed | 1 ignored (2s)". */
export function countDenoTests(output: string): Counts {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  const summary = output.split("\n").filter((line) => /^(?:ok|FAILED) \| \d+ passed/.test(line)).at(-1) ?? "";
  for (const [, n, what] of summary.matchAll(/(\d+) (passed|failed|ignored)/g)) {
    counts[what === "ignored" ? "skipped" : what as "passed" | "failed"] += Number(n);
  }
  return counts;
}

/** Names of the tests that `deno test` ignored: "name (skipped: why) ... ignored (0ms)". */
export function skippedDenoTests(output: string): string[] {
  return Array.from(output.matchAll(/^(.+?) \.\.\. ignored \(\d+m?s\)$/gm), ([, name]) => name);
}

/**
 * Counts of Zig's tests: the build summary "34/36 tests passed (1 skipped, 1 failed)" for binaries that the
 * build runs itself, and "All 12 tests passed." or "10 passed; 1 skipped; 1 failed." for those that an
 * emulator runs.
 */
export function countZigTests(output: string): Counts {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const line of output.split("\n")) {
    const summary = /^Build Summary:.*?(\d+)\/\d+ tests passed(.*)$/.exec(line);
    const plain = /^\s*(?:All (\d+) tests passed\.|(\d+) passed; (\d+) skipped; (\d+) failed\.)$/.exec(line);
    if (summary) {
      counts.passed += Number(summary[1]);
      for (const [, n, what] of summary[2].matchAll(/(\d+) (skipped|failed|crashed|timed out|leaked)/g)) {
        counts[what === "skipped" ? "skipped" : "failed"] += Number(n);
      }
    } else if (plain) {
      counts.passed += Number(plain[1] ?? plain[2]);
      counts.skipped += Number(plain[3] ?? 0);
      counts.failed += Number(plain[4] ?? 0);
    }
  }
  return counts;
}
