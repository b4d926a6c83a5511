/**
 * Renders a model's Jinja chat template under a budget. The template comes with the model file, so it may be
 * hostile: the interpreter gives it no host objects, and every step and every string it makes is charged
 * here.
 */

import { Environment } from "@huggingface/jinja";
import { TemplateError } from "./error.ts";
import { makeDictionary } from "./jinja/filters.ts";
import { PythonInterpreter } from "./jinja/interpreter.ts";
import { ITERABLE, type Node, parseTemplate } from "./jinja/source.ts";
import { callable, setValue, type Value } from "./jinja/values.ts";

/** Bounds on templates. */
export const TEMPLATE_LIMITS = {
  /** Length of a template, UTF-16 code units. */
  sourceUnits: 256 * 1024,
  /** Length of any string it makes, among them its output. */
  stringUnits: 8 * 1024 * 1024,
  /**
   * Work for one rendering, in units of about a nanosecond: characters and items handled, plus the costs
   * below.
   */
  budget: 1_000_000_000,
  /** Length of a range(). */
  rangeItems: 100_000,
} as const;

/** Units for each expression, and for each item of a loop (which makes a scope). Measured, rounded up. */
const STEP_COST = 500;
const ITEM_COST = 5000;

/** Values of a template's variables. */
export type TemplateVariables = Readonly<Record<string, unknown>>;

/** A parsed template, ready to render any number of times. */
export class TemplateRenderer {
  readonly #program: Node;
  /** The string constants of the template, each once. */
  readonly literals: readonly string[];

  /** Throws TemplateError for a template that is too long or no valid Jinja. */
  constructor(source: string) {
    if (source.length > TEMPLATE_LIMITS.sourceUnits) {
      throw new TemplateError(
        `the chat template must have at most ${TEMPLATE_LIMITS.sourceUnits} characters: it has ${source.length}`,
      );
    }
    try {
      const { program, literals } = parseTemplate(source);
      this.literals = literals;
      this.#program = program;
    } catch (cause) {
      throw new TemplateError(`the chat template is not valid Jinja: ${messageOf(cause)}`, { cause });
    }
  }

  /** The template's output. `now` is the time that strftime_now writes. Throws TemplateError. */
  render(variables: TemplateVariables, now: Date): string {
    const environment = new Environment();
    const interpreter = new BudgetedInterpreter(environment);
    const globals: TemplateVariables = {
      true: true,
      True: true,
      false: false,
      False: false,
      none: null,
      None: null,
      raise_exception: (message: unknown) => {
        throw new TemplateError(`the chat template refuses this conversation: ${String(message)}`);
      },
      range: (start: number, stop?: number, step?: number) => interpreter.range(start, stop, step),
      strftime_now: (format: unknown) => formatTime(now, String(format)),
    };
    try {
      setValue(environment, "dict", callable(makeDictionary));
      for (const [name, value] of Object.entries({ ...globals, ...variables })) {
        environment.set(name, value);
      }
      return String(interpreter.run(this.#program).value);
    } catch (cause) {
      if (cause instanceof TemplateError) throw cause;
      throw new TemplateError(`the chat template failed: ${messageOf(cause)}`, { cause });
    }
  }
}

class BudgetedInterpreter extends PythonInterpreter {
  #left: number = TEMPLATE_LIMITS.budget;

  override evaluate(node: Node | undefined, environment: Environment): Value {
    this.#spend(STEP_COST);
    const result = super.evaluate(node, environment);
    const size = sizeOf(result.value);
    if (size > TEMPLATE_LIMITS.stringUnits) {
      throw new TemplateError(
        `the chat template makes a value above ${TEMPLATE_LIMITS.stringUnits} characters or items`,
      );
    }
    // The items of a loop are paid for before it starts.
    this.#spend(node?.type === ITERABLE ? size * ITEM_COST : size);
    return result;
  }

  range(start: number, stop?: number, step = 1): number[] {
    if (stop === undefined) [start, stop] = [0, start];
    const count = Math.max(0, Math.ceil((stop - start) / step));
    if (!(count <= TEMPLATE_LIMITS.rangeItems)) {
      throw new TemplateError(
        `range() must have at most ${TEMPLATE_LIMITS.rangeItems} items: it has ${count}`,
      );
    }
    return Array.from({ length: count }, (_, i) => start + i * step);
  }

  #spend(units: number): void {
    this.#left -= units;
    if (this.#left < 0) throw new TemplateError("the chat template takes too many steps");
  }
}

function sizeOf(value: unknown): number {
  if (typeof value === "string" || Array.isArray(value)) return value.length;
  return value instanceof Map ? value.size : 0;
}

const MONTHS = "January February March April May June July August September October November December".split(
  " ",
);

/** Python's strftime for the directives that templates use; names are English everywhere. */
function formatTime(time: Date, format: string): string {
  const two = (n: number) => String(n).padStart(2, "0");
  return format.replace(/%([YmdbBHMS%])/g, (directive, letter: string) => {
    switch (letter) {
      case "Y":
        return String(time.getFullYear());
      case "m":
        return two(time.getMonth() + 1);
      case "d":
        return two(time.getDate());
      case "b":
        return MONTHS[time.getMonth()].slice(0, 3);
      case "B":
        return MONTHS[time.getMonth()];
      case "H":
        return two(time.getHours());
      case "M":
        return two(time.getMinutes());
      case "S":
        return two(time.getSeconds());
      case "%":
        return "%";
      default:
        return directive;
    }
  });
}

function messageOf(cause: unknown): string {
  if (cause instanceof RangeError) return "it nests too deeply or makes too long a text";
  return cause instanceof Error ? cause.message : String(cause);
}
