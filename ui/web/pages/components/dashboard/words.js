// Numbers as people read them. Nothing but functions of their arguments.
import { seconds } from "overspill/js/words.js";

export const NONE = "–";

export const percent = (value) => (value == null ? NONE : `${Math.round(value)}\u00a0%`);

export const count = (value) => (value == null ? NONE : Math.round(value).toLocaleString("en"));

export const rate = (value) => (value == null ? NONE : `${value < 10 ? value.toFixed(1) : Math.round(value)}/s`);

export const dollars = (value) => {
  if (value == null) return NONE;
  if (value === 0 || value >= 100) return `$${Math.round(value)}`;
  return value < 0.01 ? `$${value.toFixed(4)}` : `$${value.toFixed(2)}`;
};

/** A measured time, in ms. */
export const took = (ms) => (ms == null ? NONE : ms < 1000 ? `${Math.round(ms)}\u00a0ms` : seconds(ms / 1000).replace(" ", "\u00a0"));

/** A time span in whole seconds, minutes, hours or days. */
export function span(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 129_600 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}

export const ago = (ms) => (ms < 1500 ? "just now" : `${span(ms)} ago`);

export const clock = (at) => new Date(at).toLocaleTimeString("en-GB");

export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** As a sentence: what the server gives as a reason is often but a clause. */
export const sentence = (text) => (text ? text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? "" : ".") : "");

/** The next number at or over `value` that halves well: 1, 2, 4, 6, 8 or 10 times a power of ten. */
export function roundUp(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 8, 10].map((step) => step * power).find((step) => step >= value * 0.9999);
}
