/** Colours of code, loaded when the first code is shown. @module */

import { createLowlight } from "lowlight";
import bash from "highlight.js/lib/languages/bash";
import cpp from "highlight.js/lib/languages/cpp";
import css from "highlight.js/lib/languages/css";
import diff from "highlight.js/lib/languages/diff";
import go from "highlight.js/lib/languages/go";
import java from "highlight.js/lib/languages/java";
import json from "highlight.js/lib/languages/json";
import python from "highlight.js/lib/languages/python";
import rust from "highlight.js/lib/languages/rust";
import sql from "highlight.js/lib/languages/sql";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";

const lowlight = createLowlight({
  ...{ bash, cpp, css, diff, go, java, json, python, rust, sql, typescript, xml, yaml },
});
lowlight.registerAlias({ typescript: ["javascript", "js", "jsx", "mjs"], cpp: ["c"], yaml: ["yml"] });

/** The parts of a code; null where its language is not known. */
export function highlight(text: string, language: string): readonly unknown[] | null {
  return lowlight.registered(language) ? lowlight.highlight(language, text).children : null;
}
