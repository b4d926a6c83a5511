/** Bodies of POST /admin/…; loaded when one is read or described. @module */

import { MODEL_NAME_MAX } from "../residency/entry.ts";
import { object, text } from "../schema/fields.ts";

/** Of what is done to a model. */
export const MODEL_BODY = object({}, {
  model: text(MODEL_NAME_MAX, { help: "By any of its names; default: the first one." }),
});
