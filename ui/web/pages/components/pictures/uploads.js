// Uploads by our own API: three at a time, with progress, tried again under the same key when the line is lost.

import { shallowReactive } from "vue";
import { showConnection } from "overspill/js/toasts.js";
import { problemOf, under } from "overspill/js/wire.js";

const AT_A_TIME = 3;
const STALLED_MS = 45_000;
const SLOWEST_MS = 20_000;
const PASSING = new Set([408, 425, 429, 502, 503, 504]); // it may pass if asked again, as it does when nobody answered

// Sends items with an `upload` {file, choice, key}; `arrived(item, job)` is called with what each has become, and
// `unwanted(job)` when that was cancelled meanwhile.
export function makeUploads(arrived, unwanted) {
  const line = [];
  let sending = 0;

  function send(item) {
    item.upload = shallowReactive({ ...item.upload, state: "waiting", sent: 0, problem: null, tries: 0, stop: null });
    line.push(item);
    next();
  }

  function next() {
    while (sending < AT_A_TIME && line.length > 0) {
      sending += 1;
      begin(line.shift());
    }
  }

  async function begin(item) {
    const { upload } = item;
    try {
      const job = await untilAnswered(upload);
      if (job && upload.cancelled) unwanted(job);
      else if (job) arrived(item, job);
    } finally {
      sending -= 1;
      next();
    }
  }

  function cancel(item) {
    const index = line.indexOf(item);
    if (index >= 0) line.splice(index, 1);
    item.upload.cancelled = true;
    item.upload.stop?.();
  }

  return { send, cancel, busy: () => sending + line.length > 0 };
}

// The job that an upload became, or null when it was refused (then `upload.problem` says why) or cancelled in time.
async function untilAnswered(upload) {
  while (!upload.cancelled) {
    upload.state = "sending";
    upload.sent = 0;
    const { status, text, retryAfter } = await attempt(upload);
    if (status >= 200 && status < 300) return JSON.parse(text);
    if (upload.cancelled) return null;
    const problem = problemOf(status, text, retryAfter);
    if (status !== 0 && !PASSING.has(status)) {
      upload.state = "refused";
      if (status === 401) showConnection("logged-out");
      upload.problem = problem;
      return null;
    }
    upload.tries += 1;
    upload.state = status === 429 || status === 503 ? "held" : "lost";
    await pause(upload, problem.retry_after_s ? problem.retry_after_s * 1000 : 0);
  }
  return null;
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
