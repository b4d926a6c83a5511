/** The name under which a model is served unless it is told another: its file's name without the ending. */
export function defaultModelName(model: string): string {
  const file = model.split(/[/\\]/).at(-1)!;
  const name = file.replace(/\.gguf$/i, "");
  return name === "" ? "kumi" : name;
}
