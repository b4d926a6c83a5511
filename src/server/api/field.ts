/** What a field of a JSON document may be: data that validation, OpenAPI and the documentation page are made of. @module */

interface Common {
  readonly help?: string;
  readonly required?: true;
  /** Written into the documents; whoever uses the value fills it in. */
  readonly fallback?: unknown;
}

export interface NumberField extends Common {
  readonly type: "number" | "integer";
  readonly min: number;
  readonly max: number;
}

export interface StringField extends Common {
  readonly type: "string";
  /** Characters. */
  readonly min?: number;
  readonly max: number;
  readonly values?: readonly string[];
}

export interface BooleanField extends Common {
  readonly type: "boolean";
}

/** Taken with this value alone: clients send it, and what it asks for is what happens anyway. */
export interface ConstantField extends Common {
  readonly type: "constant";
  readonly values: readonly (string | number | boolean | null)[];
}

export interface ListField extends Common {
  readonly type: "list";
  readonly min: number;
  readonly max: number;
  readonly of: Field;
}

export interface ObjectField extends Common {
  readonly type: "object";
  readonly fields: Fields;
}

/** An object with any keys of a kind: token ids, or names. */
export interface RecordField extends Common {
  readonly type: "record";
  readonly keys: "tokens" | "names";
  /** Most entries. */
  readonly max: number;
  readonly of: Field;
}

/** Taken whatever it holds: it changes nothing in the answer. */
export interface AnyField extends Common {
  readonly type: "any";
}

/** What the server does not do: taken where it asks for nothing. */
export interface UnsupportedField extends Common {
  readonly type: "unsupported";
  /** The beginning of a sentence that says so. */
  readonly what: string;
  /** Values that ask for nothing. */
  readonly values?: readonly (string | number | boolean)[];
  /** Whether an empty text, list or object asks for nothing. */
  readonly empty?: true;
  /** Sentences for single values; one that is neither here nor in `values` is a mistake. */
  readonly refusals?: Readonly<Record<string, string>>;
}

/** The first choice whose kind of value fits decides. */
export interface ChoiceField extends Common {
  readonly type: "choice";
  readonly of: readonly Field[];
}

export type Field =
  | NumberField
  | StringField
  | BooleanField
  | ConstantField
  | ListField
  | ObjectField
  | RecordField
  | ChoiceField
  | AnyField
  | UnsupportedField;

export type Fields = Readonly<Record<string, Field>>;

/** Deepest nesting of a JSON document. */
export const JSON_DEPTH_MAX = 64;
