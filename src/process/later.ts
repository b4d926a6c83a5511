/**
 * Modules that are loaded when they are wanted. Named by an `import("…")` they would be read whenever the
 * program starts, used or not: Deno reads what a program may come to import. A URL does not tell it.
 * @module
 */

/** The names of a module's exports of this type. */
type NamesOf<Module, Type> = {
  [Name in keyof Module]: Module[Name] extends Type ? Name : never;
}[keyof Module];

/**
 * Loads a module and gives its export of this name. The URL is written as that of a worker is, a string and
 * `import.meta.url`: by that the packages' maker finds the module.
 */
export function later<Type>(): <Module>(module: URL, name: NamesOf<Module, Type>) => () => Promise<Type> {
  return (module, name) => async () => (await import(module.href))[name];
}
