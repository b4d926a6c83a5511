/** Unicode's properties as sets of code points. @module */

import { CODE_POINT_MAX, type Range, type Ranges } from "./ranges.ts";

const known = new Map<string, Ranges | undefined>();

/**
 * The code points with a property, such as `L`, `Lu`, `Script=Greek` or `Alphabetic`; undefined for a name that Unicode does not
 * have. The table comes from the JavaScript engine's own, once a name.
 */
export function property(name: string): Ranges | undefined {
  if (!known.has(name)) known.set(name, read(name));
  return known.get(name);
}

function read(name: string): Ranges | undefined {
  // The name becomes part of an expression: nothing but a name may.
  if (!/^[A-Za-z_]+(=[A-Za-z_]+)?$/.test(name)) return undefined;
  let test: RegExp;
  try {
    test = new RegExp(`\\p{${name}}`, "u");
  } catch {
    return undefined;
  }
  const ranges: Range[] = [];
  let first = -1;
  for (let c = 0; c <= CODE_POINT_MAX + 1; c++) {
    const inside = c <= CODE_POINT_MAX && (c < 0xd800 || c > 0xdfff) && test.test(String.fromCodePoint(c));
    if (inside && first < 0) first = c;
    if (!inside && first >= 0) {
      ranges.push([first, c - 1]);
      first = -1;
    }
  }
  return ranges;
}
