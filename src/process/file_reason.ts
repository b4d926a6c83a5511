/** Why a file or a folder cannot be used, where the system's own words are no sentence. */
export function fileReason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file or folder";
  if (error instanceof Deno.errors.PermissionDenied) return "this user may not";
  // Of folders such as /proc, which Deno opens to programs alone that may do everything.
  if (error instanceof Deno.errors.NotCapable) return "kumi may not use files there";
  if (error instanceof Deno.errors.NotADirectory) return "a part of the path is no folder";
  if (error instanceof Deno.errors.IsADirectory) return "it is a folder";
  return error instanceof Error ? error.message : String(error);
}
