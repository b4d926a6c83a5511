/** Fields in words, for the documentation page. @module */

import * as z from "zod";
import { LENGTHS, type ObjectSchema, RECORDS, UNSUPPORTED, UNUSED } from "./fields.ts";

/** A field in words. */
export interface DescribedField {
  /** Where it is, such as `messages[].role`. */
  readonly name: string;
  readonly isRequired: boolean;
  readonly kind: string;
  readonly does: string;
}

/** The fields of an object and of those in it, without those that change nothing. */
export function describeFields(schema: ObjectSchema, prefix = ""): DescribedField[] {
  return Object.entries(schema.shape).flatMap(([name, wrapped]) => {
    const field = unwrapped(wrapped);
    if (field === UNUSED) return [];
    const unsupported = UNSUPPORTED.get(field);
    const { description = "", default: fallback } = z.globalRegistry.get(field) ?? {};
    const does = unsupported === undefined ? description : `${unsupported.what}.`;
    const described = {
      name: prefix + name,
      isRequired: field === wrapped,
      kind: kindOf(field),
      does: fallback === undefined ? does : `${does} Default ${JSON.stringify(fallback)}.`,
    };
    const inner = innerFields(field);
    if (inner === undefined) return [described];
    const isPlain = field instanceof z.ZodObject;
    return [described, ...describeFields(inner, `${prefix}${name}${isPlain ? "" : "[]"}.`)];
  });
}

/** Names of the fields of an object, and of those in it, that change nothing. */
export function unusedFields(schema: ObjectSchema, prefix = ""): string[] {
  return Object.entries(schema.shape).flatMap(([name, wrapped]) => {
    const field = unwrapped(wrapped);
    if (field === UNUSED) return [prefix + name];
    const inner = innerFields(field);
    const isPlain = field instanceof z.ZodObject;
    return inner === undefined ? [] : unusedFields(inner, `${prefix}${name}${isPlain ? "" : "[]"}.`);
  });
}

function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  return schema instanceof z.ZodOptional || schema instanceof z.ZodNullable
    ? unwrapped(schema.def.innerType)
    : schema;
}

/** Of several forms the one with fields of its own needs an explanation. */
function innerFields(wrapped: z.core.$ZodType): ObjectSchema | undefined {
  const schema = unwrapped(wrapped);
  if (schema instanceof z.ZodObject) return schema;
  if (schema instanceof z.ZodArray) return innerFields(schema.element);
  if (!(schema instanceof z.ZodUnion)) return undefined;
  return schema.options.map(innerFields).find((fields) => fields !== undefined);
}

/** A field's values in words. */
function kindOf(wrapped: z.core.$ZodType): string {
  const schema = unwrapped(wrapped);
  const unsupported = UNSUPPORTED.get(schema);
  if (unsupported !== undefined) {
    const { values, empty } = unsupported;
    const taken = [null, ...values, ...empty ? [""] : []].map((each) => JSON.stringify(each));
    return `only ${taken.join(" or ")}${empty ? " or empty" : ""}`;
  }
  if (schema instanceof z.ZodNumber) {
    return `${schema.isInt ? "integer" : "number"}, ${schema.minValue} to ${schema.maxValue}`;
  }
  if (schema instanceof z.ZodString) return `string, at most ${schema.maxLength} characters`;
  if (schema instanceof z.ZodEnum) return schema.options.map((each) => JSON.stringify(each)).join(" or ");
  if (schema instanceof z.ZodBoolean) return "true or false";
  if (schema instanceof z.ZodUnion) return schema.options.map(kindOf).join("; or ");
  if (schema instanceof z.ZodArray) {
    const { min, max } = LENGTHS.get(schema)!;
    return `list of ${min} to ${max}: ${kindOf(schema.element)}`;
  }
  const record = RECORDS.get(schema);
  if (record !== undefined && schema instanceof z.ZodPipe && schema.out instanceof z.ZodRecord) {
    return `object, at most ${record.max} entries, by ${record.by}: ${kindOf(schema.out.valueType)}`;
  }
  return schema instanceof z.ZodObject ? "object" : "anything";
}
