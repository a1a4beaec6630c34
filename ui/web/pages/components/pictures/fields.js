// An operation's JSON schema as the fields of a form. Nothing here touches the page.

import { asTitle } from "overspill/js/words.js";

const LABELS = {
  alpha_matting: "Finer edges for hair and fur",
  background: "Background",
  beams: "Captions weighed at a time",
  format: "File format",
  length: "Longest caption, in words",
  prompt: "Begins with",
  quality: "Quality of JPEG and WebP",
};
const SELDOM = new Set(["beams", "format", "length", "model", "quality"]);
const SHORT_LIST = 3;

// Fields in the order of the schema: {name, label, kind, seldom, value, ...} where `value` is the default.
export function fieldsOf(schema) {
  return Object.entries(schema?.properties ?? {}).map(([name, told]) => fieldOf(name, resolved(told, schema)));
}

function resolved(told, schema) {
  const choices = told.anyOf ?? told.oneOf ?? told.allOf;
  const one = choices ? { ...told, ...choices.find((choice) => choice.type !== "null") } : told;
  const target = one.$ref && schema.$defs?.[one.$ref.split("/").at(-1)];
  return target ? { ...target, ...one } : one;
}

function fieldOf(name, told) {
  const base = { name, label: LABELS[name] ?? asTitle(name), seldom: SELDOM.has(name), value: told.default ?? null };
  if (told.enum) return { ...base, kind: told.enum.length > SHORT_LIST ? "list" : "segments", choices: told.enum };
  if (told.type === "boolean") return { ...base, kind: "switch" };
  if (told.type === "number" || told.type === "integer") {
    const [min, max] = [told.minimum ?? 0, told.maximum ?? 100];
    return { ...base, kind: "range", min, max, step: told.type === "integer" ? 1 : (max - min) / 20 };
  }
  if (told.pattern?.startsWith("^#")) return { ...base, kind: "colour" };
  return { ...base, kind: "text", most: told.maxLength ?? 200 };
}

// What to send: only what differs from the defaults, so that a job says what was asked for.
export function given(values, fields) {
  const told = fields.filter(({ name, value }) => values[name] !== undefined && values[name] !== "" && values[name] !== value);
  return Object.fromEntries(told.map(({ name }) => [name, values[name]]));
}

export function asWords(value) {
  return typeof value === "string" ? (value.length <= 4 && value !== "none" ? value.toUpperCase() : asTitle(value)) : String(value);
}
