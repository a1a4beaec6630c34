// How things are put into words. Nothing here touches the page, the clock or the network.

export const OPERATIONS = {
  sketch: { title: "Pencil sketch", does: "Drawn by hand, in pencil, charcoal or colour" },
  "remove-background": { title: "Remove background", does: "The subject cut out, on nothing or on a colour" },
  caption: { title: "Caption", does: "One sentence that says what is to be seen" },
};

export const ENDED = new Set(["done", "failed", "cancelled"]);

// Whether what ended with this problem may come to something when tried again as it is: not where the picture itself, or
// what was asked of it, is at fault.
export function mayPass(problem) {
  return !problem || ![400, 413, 415, 422].includes(problem.status);
}

// Whether a small picture of the job's picture can be made, as far as its end tells.
export function isReadable(job) {
  return Boolean(job) && !UNREADABLE.has(kindOf(job.problem));
}

const UNREADABLE = new Set(["broken-image", "empty-image", "not-an-image", "too-many-pixels"]);

// What kind of problem it is, as the list of problems names it: "too-fast".
export function kindOf(problem) {
  return problem?.type?.split(":").at(-1) ?? null;
}

export function titleOf(operation) {
  return OPERATIONS[operation]?.title ?? asTitle(operation);
}

// The name of an operation or parameter as words: "alpha_matting" is "Alpha matting".
export function asTitle(name) {
  return sentence(name.replaceAll(/[-_]/g, " "));
}

export function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1).replace(/\.$/, "");
}

// Seconds as exact as they matter: "4 ms", "0.34 s", "4.2 s", "12 s", "3 min", "2 h 5 min".
export function seconds(value) {
  if (value < 0.1) return `${Math.round(Math.max(0, value) * 1000)} ms`;
  if (value < 1) return `${value.toFixed(2)} s`;
  if (value < 9.95) return `${value.toFixed(1)} s`;
  if (value < 59.5) return `${Math.round(value)} s`;
  const minutes = Math.round(value / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function size(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  if (bytes < 1e6) return `${Math.round(bytes / 1e3)} kB`;
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

// A stretch of time ahead, in words: "in about 10 to 20 s".
export function range([from, to]) {
  const early = coarse(from);
  const late = coarse(to);
  return early === late ? `in about ${late}` : `in ${early.replace(unitOf(late), "").trim()} to ${late}`;
}

function unitOf(text) {
  return text.slice(text.indexOf(" "));
}

function coarse(value) {
  if (value < 10) return `${Math.max(1, Math.round(value))} s`;
  if (value < 55) return `${Math.round(value / 5) * 5} s`;
  if (value < 3600) return `${Math.max(1, Math.round(value / 60))} min`;
  return `${Math.round(value / 3600)} h`;
}

export function place(number) {
  if (number === 1) return "Next in line";
  return `${ordinal(number)} in line`;
}

export function ordinal(number) {
  const tens = number % 100;
  if (tens >= 11 && tens <= 13) return `${number}th`;
  return `${number}${["th", "st", "nd", "rd"][number % 10] ?? "th"}`;
}

// Where a job is, or was: "vm2", "the cloud".
export function where(job) {
  if (job.route === "cloud") return "the cloud";
  return job.vm ?? null;
}

// The same at the beginning of a sentence; a machine's name is written as it is.
export function whereFirst(job) {
  return job.route === "cloud" ? "The cloud" : (job.vm ?? "Nowhere");
}

// How a job stands, in a line.
export function standing(job) {
  return STANDINGS[job.state]?.(job) ?? asTitle(job.state);
}

const STANDINGS = {
  accepted: (job) => (job.cancel_asked ? "Cancelling …" : "Accepted, about to join the line"),
  queued: (job) => [job.place ? place(job.place) : "In line", job.eta_s ? `done ${range(job.eta_s)}` : ""].filter(Boolean).join(" · "),
  routed: (job) => `On its way to ${where(job) ?? "a machine"}${again(job)}`,
  running: (job) => `Running on ${where(job) ?? "a machine"}${again(job)}`.replace("on the cloud", "in the cloud"),
  done: () => "Done",
  failed: (job) => job.problem?.title ?? "Failed",
  cancelled: () => "Cancelled",
};

function again(job) {
  return job.attempt > 1 ? `, ${ordinal(job.attempt)} try` : "";
}

// Where and how long it ran: "vm2 · 0.34 s".
export function ran(job) {
  const there = where(job);
  if (!there) return null;
  const name = there === "the cloud" ? "Cloud" : there;
  return job.ran_ms === null || job.ran_ms === undefined ? name : `${name} · ${seconds(job.ran_ms / 1000)}`;
}

// A price in US dollars, or what it comes to for a thousand.
export function price(dollars) {
  return dollars < 0.01 ? `$${(dollars * 1000).toFixed(2)} per 1,000` : `$${dollars.toFixed(2)}`;
}

export function ago(thenMs, nowMs) {
  const passed = (nowMs - thenMs) / 1000;
  return passed < 45 ? "just now" : `${seconds(Math.max(60, passed))} ago`;
}

// What a result is saved as: the picture's name with the operation and the result's own ending.
export function nameOf(job) {
  const stem = (job.name || "picture").replace(/\.[^.]{1,5}$/, "");
  return `${stem} (${titleOf(job.operation).toLowerCase()})`;
}
