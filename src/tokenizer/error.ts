/**
 * A vocabulary or tokenizer setting of a model file that cannot be used; the message names the key and the
 * value.
 */
export class TokenizerError extends Error {
  override name = "TokenizerError";
}

/** A chat template that cannot be used, or that refuses the conversation it was given. */
export class TemplateError extends Error {
  override name = "TemplateError";
}
