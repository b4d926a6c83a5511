/**
 * The package's interpreter with Python's values: what `transformers` writes, its sandbox's Jinja writes too. The
 * package does statements, scopes and macros; values, operators, filters, tests and methods are done here, for its
 * own differ: they know fewer, write `true` for True, and take `strip('\n')` for `strip()`.
 * @module
 */

import { Environment, Interpreter } from "@huggingface/jinja";
import { Arguments } from "./arguments.ts";
import { isWhat } from "./conditions.ts";
import { applyFilter } from "./filters.ts";
import { methodOf } from "./methods.ts";
import { operate } from "./operators.ts";
import { ITERABLE, type Iterable, NEGATED_TEST, type Node, TEST } from "./source.ts";
import { textOf } from "./text.ts";
import {
  boolean,
  dictionary,
  hasAttributes,
  isList,
  isTrue,
  isTuple,
  itemsOf,
  type Key,
  keyOf,
  list,
  string,
  tuple,
  UNDEFINED,
  type Value,
} from "./values.ts";

interface Named extends Node {
  readonly value: string;
}
interface Call extends Node {
  readonly callee: Named;
  readonly args: readonly Node[];
}
interface Binary extends Node {
  readonly operator: { readonly value: string };
  readonly left: Node;
  readonly right: Node;
}
interface Test extends Node {
  readonly operand: Node;
  readonly negate: boolean;
  readonly test: Named;
}
interface Member extends Node {
  readonly object: Node;
  readonly property: Named;
  readonly computed: boolean;
}

/** The methods of the package's interpreter that are replaced or called here. Its types keep them private. */
interface Replaceable {
  run(program: Node): Value;
  evaluate(node: Node | undefined, environment: Environment): Value;
  evaluateArguments(args: readonly Node[], environment: Environment): [Value[], Map<string, Value>];
  evaluateBlock(nodes: readonly Node[], environment: Environment): Value;
  evaluateBinaryExpression(node: Binary, environment: Environment): Value;
  evaluateTestExpression(node: Test, environment: Environment): Value;
  evaluateMemberExpression(node: Member, environment: Environment): Value;
  evaluateSliceExpression(object: Value, slice: Node, environment: Environment): Value;
  applyFilter(operand: Value, filter: Named | Call, environment: Environment): Value;
}

const Base = Interpreter as unknown as new (environment: Environment) => Replaceable;

/** Nodes that write nothing: the package gives None for them, which an expression would write. */
const SILENT = new Set(["Set", "Macro", "Comment", "Break", "Continue"]);

export class PythonInterpreter extends Base {
  override evaluate(node: Node | undefined, environment: Environment): Value {
    if (node?.type === "ObjectLiteral") {
      return this.#dictionary((node as unknown as { value: Map<Node, Node> }).value, environment);
    }
    if (node?.type !== ITERABLE) return super.evaluate(node, environment);
    const { of, takesApart } = node as Iterable;
    return iterable(this.evaluate(of, environment), takesApart);
  }

  override evaluateBlock(nodes: readonly Node[], environment: Environment): Value {
    let written = "";
    for (const node of nodes) {
      const value = this.evaluate(node, environment);
      if (!SILENT.has(node.type)) written += textOf(value);
    }
    return string(written);
  }

  override evaluateBinaryExpression(node: Binary, environment: Environment): Value {
    const left = this.evaluate(node.left, environment);
    const operator = node.operator.value;
    if (operator === "and") return isTrue(left) ? this.evaluate(node.right, environment) : left;
    if (operator === "or") return isTrue(left) ? left : this.evaluate(node.right, environment);
    return operate(operator, left, this.evaluate(node.right, environment));
  }

  override evaluateTestExpression({ operand, negate, test }: Test, environment: Environment): Value {
    return boolean(isWhat(test.value, this.evaluate(operand, environment), UNDEFINED) !== negate);
  }

  override evaluateMemberExpression(node: Member, environment: Environment): Value {
    const object = this.evaluate(node.object, environment);
    if (node.computed && node.property.type === "SliceExpression") {
      const part = this.evaluateSliceExpression(object, node.property, environment);
      return isTuple(object) ? tuple(part.value as Value[]) : part;
    }
    if (!node.computed) {
      const name = node.property.value;
      return methodOf(object, String(name)) ?? itemOf(object, name) ?? UNDEFINED;
    }
    const key = keyOf(this.evaluate(node.property, environment));
    if (key === undefined) return UNDEFINED;
    return itemOf(object, key) ?? (typeof key === "string" ? methodOf(object, key) : undefined) ?? UNDEFINED;
  }

  override applyFilter(operand: Value, filter: Named | Call, environment: Environment): Value {
    const [name, args] = "callee" in filter
      ? [filter.callee.value, this.#arguments(filter.args, environment)]
      : [filter.value, new Arguments([])];
    if (!name.startsWith(TEST)) return applyFilter(name, operand, args);
    const isNegated = name.startsWith(NEGATED_TEST);
    const test = name.slice((isNegated ? NEGATED_TEST : TEST).length);
    return boolean(isWhat(test, operand, args.positional[0] ?? UNDEFINED) !== isNegated);
  }

  #arguments(nodes: readonly Node[], environment: Environment): Arguments {
    return new Arguments(...this.evaluateArguments(nodes, environment));
  }

  #dictionary(entries: ReadonlyMap<Node, Node>, environment: Environment): Value {
    const made = new Map<Key, Value>();
    for (const [key, value] of entries) {
      const name = keyOf(this.evaluate(key, environment));
      if (name === undefined) throw new Error("a key of a dictionary must be a text or a number");
      made.set(name, this.evaluate(value, environment));
    }
    return dictionary(made);
  }
}

function itemOf(object: Value, key: Key): Value | undefined {
  if (hasAttributes(object)) return object.value.get(key);
  if (typeof key !== "number") return undefined;
  if (isList(object)) return object.value.at(key);
  const items = typeof object.value === "string" ? itemsOf(object) : undefined;
  return items?.at(key);
}

/** A list for a loop: the package goes through lists and dictionaries, and takes only lists apart. */
function iterable(value: Value, takesApart: boolean): Value {
  const items = itemsOf(value);
  if (items === undefined) return value;
  if (takesApart) return list(items.map((item) => isTuple(item) ? list(item.value) : item));
  return isList(value) ? value : list(items);
}
