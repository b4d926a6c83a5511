/** The models of a folder. @module */

import { partPaths } from "../../gguf/split.ts";
import { defaultModelName } from "../model_name.ts";
import { nameProblem, type SharedModel } from "./entry.ts";

/**
 * The GGUF files of a folder and its folders of safetensors by their names, in the order of these. What cannot be
 * named is left out. Throws Deno's errors where the folder cannot be read.
 */
export function modelsIn(folder: string): SharedModel[] {
  const models = new Map<string, SharedModel>();
  for (const { name: file } of Deno.readDirSync(folder)) {
    if (file.startsWith(".")) continue;
    const model = `${folder.replace(/(?<=.)[\\/]+$/, "")}/${file}`;
    // Of a split model the first part stands for all.
    if (partPaths(file)[0] !== file || !isModel(model)) continue;
    const name = defaultModelName(file).replace(/-00001-of-\d{5}$/, "");
    if (nameProblem(name) === null) models.set(name, { name, model });
  }
  return [...models.values()].sort((a, b) => a.name < b.name ? -1 : 1);
}

/** Links are followed, and those that lead nowhere are none. */
function isModel(path: string): boolean {
  try {
    const { isFile, isDirectory } = Deno.statSync(path);
    if (isFile) return /\.gguf$/i.test(path);
    return isDirectory && Deno.statSync(`${path}/config.json`).isFile;
  } catch {
    return false;
  }
}
