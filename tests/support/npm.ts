/** Packages of npm in tests: they are skipped by name where the registry cannot be reached. @module */

// deno-lint-ignore no-explicit-any
export type Module = any;

/**
 * The packages, or null where one of them cannot be had. The names are no literals, so that type checks do
 * without them.
 */
export async function npmModules(...names: string[]): Promise<Module[] | null> {
  try {
    return await Promise.all(names.map((name) => import(`npm:${name}`)));
  } catch (error) {
    if (error instanceof TypeError && /npm|registry|Could not|not found/i.test(error.message)) return null;
    throw error;
  }
}
