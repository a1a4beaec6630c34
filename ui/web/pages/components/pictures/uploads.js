// Uploads by our own API: three at a time, with progress, tried again under the same key when the line is lost.

import { shallowReactive } from "vue";
import { showConnection } from "overspill/js/toasts.js";
import { problemOf, under } from "overspill/js/wire.js";
import { kindOf } from "overspill/js/words.js";

const AT_A_TIME = 3;
const PAUSING = 6; // with so many not taken just now the next would not be either: it waits until one of them is tried again
const STALLED_MS = 45_000;
const SLOWEST_MS = 20_000;
const PASSING = new Set([408, 425, 429, 502, 503, 504]); // it may pass if asked again, as it does when nobody answered
const LASTING = new Set(["too-much-kept"]); // whatever its status, until the person does something about it

// Sends items with an `upload` {file, choice, key}; `arrived(item, job)` is called with what each has become, and
// `unwanted(job)` when that was cancelled meanwhile.
export function makeUploads(arrived, unwanted) {
  const line = [];
  let [sending, pausing] = [0, 0];

  function send(item) {
    item.upload = shallowReactive({ ...item.upload, state: "waiting", sent: 0, problem: null, held: null, tries: 0, stop: null });
    line.push(item);
    next();
  }

  function next() {
    while (sending < AT_A_TIME && pausing < PAUSING && line.length > 0) begin(line.shift());
  }

  async function begin(item) {
    Object.assign(item.upload, { state: "sending", sent: 0, held: null });
    sending += 1;
    try {
      settle(item, await attempt(item.upload));
    } finally {
      sending -= 1;
      next();
    }
  }

  function settle(item, { status, text, retryAfter }) {
    const { upload } = item;
    if (status >= 200 && status < 300) {
      if (upload.cancelled) unwanted(JSON.parse(text));
      else arrived(item, JSON.parse(text));
    } else if (!upload.cancelled) {
      const problem = problemOf(status, text, retryAfter);
      if (mayBeTaken(problem, status)) again(item, problem);
      else refuse(upload, problem);
    }
  }

  // Its place is another's while it pauses; then it goes before those that have not been tried yet.
  async function again(item, problem) {
    const { upload } = item;
    const isHeld = problem.status === 429 || problem.status === 503;
    Object.assign(upload, { state: isHeld ? "held" : "lost", held: problem.detail ?? null, tries: upload.tries + 1 });
    pausing += 1;
    await pause(upload, (problem.retry_after_s ?? 0) * 1000);
    pausing -= 1;
    if (!upload.cancelled) line.unshift(item);
    next();
  }

  function cancel(item) {
    const index = line.indexOf(item);
    if (index >= 0) line.splice(index, 1);
    item.upload.cancelled = true;
    item.upload.stop?.();
  }

  return { send, cancel, busy: () => sending + pausing + line.length > 0 };
}

// Whether a picture that was not taken may be when it is sent again as it is.
function mayBeTaken(problem, status) {
  return status === 0 || (PASSING.has(status) && !LASTING.has(kindOf(problem)));
}

function refuse(upload, problem) {
  upload.state = "refused";
  upload.problem = problem;
  if (problem.status === 401) showConnection("logged-out");
}

// One request; status 0 when nothing answered. XMLHttpRequest, since fetch tells no progress of what is sent.
function attempt(upload) {
  return new Promise((answer) => {
    const request = new XMLHttpRequest();
    let watch = setTimeout(() => request.abort(), STALLED_MS);
    let isSent = false;
    const end = () => {
      clearTimeout(watch);
      upload.stop = null;
      answer({ status: request.status, text: request.responseText, retryAfter: request.getResponseHeader("Retry-After") });
    };
    request.upload.onprogress = (event) => {
      clearTimeout(watch);
      watch = setTimeout(() => request.abort(), STALLED_MS);
      if (event.lengthComputable) upload.sent = event.loaded / event.total;
    };
    request.onload = request.onerror = request.onabort = end;
    request.upload.onload = () => (isSent = true);
    // Of what the server has in full it makes a job, whoever listens: then the answer is waited for, to cancel that.
    upload.stop = () => isSent || request.abort();
    request.open("POST", `${under("/jobs")}?${queryOf(upload)}`);
    request.setRequestHeader("Content-Type", upload.file.type || "application/octet-stream");
    request.setRequestHeader("Idempotency-Key", upload.key);
    request.send(upload.file);
  });
}

function queryOf({ file, choice }) {
  return new URLSearchParams({
    operation: choice.operation,
    params: JSON.stringify(choice.params),
    site: choice.site,
    name: file.name.slice(0, 200),
  });
}

// Waits before the next try: as long as the server asked, else longer each time, but no longer than the line is down.
function pause(upload, askedMs) {
  const ms = askedMs || Math.min(SLOWEST_MS, 500 * 2 ** Math.min(upload.tries, 6)) * (0.75 + Math.random() / 2);
  return new Promise((go) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      upload.stop = null;
      go();
    };
    const timer = setTimeout(done, ms);
    addEventListener("online", done);
    upload.stop = done;
  });
}
