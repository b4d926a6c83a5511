/**
 * `engine_entry.ts` of the npm package: a file in it finds its dependencies only where it is run as part of the package, by the name of
 * its program.
 * @module
 */

import { VERSION } from "../../protocol/version.ts";

/** What `deno run` is given. */
export function engineEntry(): string {
  return `npm:@kumi/kumi@${VERSION}/kumi-engine`;
}
