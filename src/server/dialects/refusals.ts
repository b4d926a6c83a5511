/** Words for what no dialect of this server does. @module */

import { unsupported } from "../schema/fields.ts";

export const IMAGES = "Images are not supported by this server";
export const AUDIO = "Audio is not supported by this server";
export const FILES = "Files are not supported by this server";
export const VIDEOS = "Videos are not supported by this server";
export const SERVER_TOOLS = "Tools that the server runs are not supported by this server";

/** A field that asks for what this server does not do; `what` is the beginning of a sentence that says so. */
export function here(what: string, taken?: Parameters<typeof unsupported>[1]) {
  return unsupported(`${what} by this server`, taken);
}
