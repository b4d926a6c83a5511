/** The messages of a chat as clients write them, and as they send back what they got. @module */

import { CHAT_ROLES } from "../../../tokenizer/conversation.ts";
import {
  anything,
  choice,
  flag,
  list,
  object,
  tag,
  text,
  unsupported,
  unused,
  word,
} from "../../schema/fields.ts";
import { AUDIO, FILES, IMAGES, VIDEOS } from "../refusals.ts";

/** Characters of a text. */
export const TEXT_MAX = 2 ** 22;
const NAME_MAX = 256;
const CALLS_MAX = 128;
export const PARTS_MAX = 1024;

const name = text(NAME_MAX);
const content = text(TEXT_MAX);

export const PART = object({
  type: tag(["text", "input_text", "output_text", "refusal"], {
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
  }, "Only texts are supported"),
}, {
  text: content,
  refusal: content,
}, { others: unused(["cache_control", "annotations", "logprobs", "parsed", "prompt_cache_breakpoint"]) });

/** Clients that have read the arguments send back what they read, too. */
const FUNCTION = object({ name }, { arguments: anything() }, { others: unused(["parsed_arguments"]) });

export const TOOL_CALL = object({}, {
  id: name,
  type: word(["function", "custom"]),
  function: FUNCTION,
  custom: object({ name }, { input: content }),
}, { others: unused(["index", "extra_content", "provider_specific_fields"]) });

export const MESSAGE = object({
  role: word([...CHAT_ROLES, "function"]),
}, {
  content: choice("a string or a list of objects", [content, list(PART, 0, PARTS_MAX)], {
    help: "A text, or a list of text parts, which are joined by line ends; an assistant's may be null.",
  }),
  name: text(NAME_MAX, { help: "Who speaks, for templates that show it." }),
  reasoning_content: text(TEXT_MAX, { help: "What the assistant thought, for templates that show it." }),
  reasoning: text(TEXT_MAX, { help: "Another name of reasoning_content." }),
  refusal: text(TEXT_MAX, { help: "The assistant's text where it has no content." }),
  tool_calls: list(TOOL_CALL, 0, CALLS_MAX, {
    help: "What the assistant called; written by the template, or as text where it knows no tools.",
  }),
  function_call: object({ name }, { arguments: anything() }, {
    help: "The older form of one of tool_calls.",
  }),
  tool_call_id: text(NAME_MAX, { help: "Which call a message of role tool answers." }),
  prefix: flag("In the last message: as continue_final_message."),
}, {
  others: {
    audio: unsupported(AUDIO),
    // Clients send messages back as they got them, with these.
    ...unused(["annotations", "parsed", "cache_control", "reasoning_details", "provider_specific_fields"]),
  },
});
