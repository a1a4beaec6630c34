// Asking our own HTTP API.

const API = "/api/v1";

// What the API refused, with its problem document (RFC 9457): title, detail, remedy, status, retry_after_s.
export class Refused extends Error {
  constructor(problem) {
    super(problem.detail || problem.title);
    this.problem = problem;
  }
}

// The answer to a request as JSON (null for none). Throws Refused, or TypeError when nothing answered.
export async function ask(path, { method = "GET", body = null, signal = null, keepalive = false } = {}) {
  const response = await fetch(API + path, {
    method,
    signal,
    keepalive,
    headers: body === null ? {} : { "Content-Type": "application/json" },
    body: body === null ? null : JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Refused(problemOf(response.status, text, response.headers.get("Retry-After")));
  return text ? JSON.parse(text) : null;
}

// The problem that an answer tells of; proxies and broken lines give answers that aren't ours.
export function problemOf(status, text, retryAfter = null) {
  let told = {};
  try {
    told = JSON.parse(text) ?? {};
  } catch {
    // the status alone has to do
  }
  const title = told.title ?? "The server gave an answer that can't be read";
  const waits = told.retry_after_s ?? (Number(retryAfter) || null);
  return { ...told, title, status: told.status ?? status, retry_after_s: waits };
}

// Whether the login has ended; false, too, when nobody is there to say so.
export async function isLoggedOut() {
  try {
    return (await fetch(under("/me"))).status === 401;
  } catch {
    return false;
  }
}

export function under(path) {
  return API + path;
}
