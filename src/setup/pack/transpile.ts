/** JavaScript and type declarations from TypeScript, module by module. @module */

import ts from "npm:typescript@5.9.3";
import { MODULE_URL, resolveName, type Sources } from "./sources.ts";

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ESNext,
  module: ts.ModuleKind.ESNext,
  isolatedModules: true,
  rewriteRelativeImportExtensions: true,
};

/** A module cannot be packed; the message says where and why. */
export class PackError extends Error {
  override readonly name = "PackError";
}

function checked(name: string, output: ts.TranspileOutput): string {
  const [first] = output.diagnostics ?? [];
  if (first === undefined) return output.outputText;
  const line = first.file?.getLineAndCharacterOfPosition(first.start ?? 0).line ?? 0;
  throw new PackError(`${name}:${line + 1}: ${ts.flattenDiagnosticMessageText(first.messageText, " ")}`);
}

/**
 * JavaScript of a module, whose imports and started modules end in `.js`. Throws PackError for a mistake in
 * its syntax.
 */
export function toJavaScript(name: string, text: string): string {
  const output = ts.transpileModule(text, {
    compilerOptions: OPTIONS,
    fileName: name,
    reportDiagnostics: true,
  });
  return checked(name, output).replace(MODULE_URL, (url) => url.replace(/\.ts"/, '.js"'));
}

/**
 * Type declarations of `entries` and of what these need, by the names of the modules. Types are taken as they
 * are written, without looking at other modules. Names of the public interface all have one (`deno publish`
 * checks that); a private one without may become `any`.
 */
export function toDeclarations(entries: readonly string[], sources: Sources): Map<string, string> {
  const declarations = new Map<string, string>();
  const open = [...entries];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const source = sources.get(name);
    if (source === undefined || declarations.has(name)) continue;
    const compilerOptions = { ...OPTIONS, declaration: true, isolatedDeclarations: true };
    const text = ts.transpileDeclaration(source, { compilerOptions, fileName: name }).outputText;
    for (const { fileName } of ts.preProcessFile(text, true, true).importedFiles) {
      if (fileName.startsWith(".")) open.push(resolveName(name, fileName).replace(/\.js$/, ".ts"));
    }
    declarations.set(name, text.replace(/((?:from|import\() ?"\.{1,2}\/[^"]+)\.ts"/g, '$1.js"'));
  }
  return declarations;
}
