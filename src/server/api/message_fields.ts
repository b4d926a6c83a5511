/** The messages of a chat as clients write them, and as they send back what they got. @module */

import { CHAT_ROLES } from "../../tokenizer/conversation.ts";
import type { Field, Fields } from "./field.ts";
import { unused } from "./foreign_fields.ts";

const TEXT_MAX = 2 ** 22;
const NAME_MAX = 256;
const CALLS_MAX = 128;

const text: Field = { type: "string", max: TEXT_MAX };
const name: Field = { type: "string", max: NAME_MAX };

const IMAGES = "Images are not supported by this server";
const AUDIO = "Audio is not supported by this server";
const FILES = "Files are not supported by this server";
const VIDEOS = "Videos are not supported by this server";

const PART_FIELDS = {
  type: {
    type: "unsupported",
    required: true,
    values: ["text", "input_text", "output_text", "refusal"],
    what: "Only texts are supported",
    refusals: {
      image_url: IMAGES,
      input_image: IMAGES,
      image: IMAGES,
      image_embeds: IMAGES,
      input_audio: AUDIO,
      audio_url: AUDIO,
      audio: AUDIO,
      file: FILES,
      input_file: FILES,
      document: FILES,
      video_url: VIDEOS,
      input_video: VIDEOS,
      video: VIDEOS,
    },
  },
  text,
  refusal: text,
  ...unused(["cache_control", "annotations", "prompt_cache_breakpoint"]),
} as const satisfies Fields;

const CALLED = { name: { ...name, required: true } } as const;

const TOOL_CALL_FIELDS = {
  id: name,
  type: { type: "string", max: 16, values: ["function", "custom"] },
  function: {
    type: "object",
    fields: { ...CALLED, arguments: { type: "choice", of: [text, { type: "any" }] } },
  },
  custom: { type: "object", fields: { ...CALLED, input: text } },
  ...unused(["index", "extra_content", "provider_specific_fields"]),
} as const satisfies Fields;

export const MESSAGE_FIELDS = {
  role: { type: "string", max: 16, values: [...CHAT_ROLES, "function"], required: true },
  content: {
    type: "choice",
    of: [
      text,
      { type: "list", min: 0, max: 1024, of: { type: "object", fields: PART_FIELDS } },
    ],
    help: "A text, or a list of text parts, which are joined by line ends; an assistant's may be null.",
  },
  name: { ...name, help: "Who speaks, for templates that show it." },
  reasoning_content: { ...text, help: "What the assistant thought, for templates that show it." },
  reasoning: { ...text, help: "Another name of reasoning_content." },
  refusal: { ...text, help: "The assistant's text where it has no content." },
  tool_calls: {
    type: "list",
    min: 0,
    max: CALLS_MAX,
    of: { type: "object", fields: TOOL_CALL_FIELDS },
    help: "What the assistant called; written by the template, or as text where it knows no tools.",
  },
  function_call: { ...TOOL_CALL_FIELDS.function, help: "The older form of one of tool_calls." },
  tool_call_id: { ...name, help: "Which call a message of role tool answers." },
  prefix: { type: "boolean", help: "In the last message: as continue_final_message." },
  audio: { type: "unsupported", what: AUDIO },
  // Clients send messages back as they got them, with these.
  ...unused(["annotations", "parsed", "cache_control", "reasoning_details", "provider_specific_fields"]),
} as const satisfies Fields;
