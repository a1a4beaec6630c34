// The caller's jobs, fetched and kept up to date in a store.

import { ref, shallowRef } from "vue";
import { follow } from "overspill/js/feed.js";
import { showConnection } from "overspill/js/toasts.js";
import { ask, under } from "overspill/js/wire.js";
import { groupOfJob } from "./store.js";

const PAGE = 50;
const ANSWER_MS = 1500;
const RECOUNT_MS = 500;
const NONE = { "under-way": 0, done: 0, failed: 0 };

// `isIdle` tells whether nothing is under way, `isSending` whether uploads are.
export function makeLiveJobs(store, isIdle, isSending) {
  const state = ref("loading"); // loading, here, failed, logged-out
  const more = shallowRef(null); // the cursor of older jobs
  const beyond = shallowRef(NONE); // how many the server has that are not in the store
  const early = new Map(); // the latest of jobs whose upload is not answered yet
  let [end, recounts] = [null, null];

  async function begin() {
    try {
      const { jobs, next, counts, last_event_id } = await ask(`/jobs?limit=${PAGE}`);
      store.replace(jobs, next === null);
      more.value = next;
      count(counts);
      if (state.value === "logged-out") showConnection("fine");
      state.value = "here";
      end?.();
      end = follow(under("/events"), { job: hear, removed, reset: begin }, { from: last_event_id, glance });
    } catch (error) {
      troubled(error);
    }
  }

  // Nobody looks and nothing is followed; the page's title still tells how many are under way.
  async function glance() {
    const { jobs } = isIdle() ? { jobs: [] } : await ask(`/jobs?limit=${PAGE}`).catch(() => ({ jobs: [] }));
    jobs.forEach(hear);
  }

  // An event may overtake the answer to the upload that it is about, which knows the card it belongs to.
  function hear(job) {
    if (store.knows(job.id)) {
      store.put(job);
    } else if (isSending()) {
      if (!early.has(job.id)) setTimeout(settle, ANSWER_MS, job.id);
      early.set(job.id, job);
    } else {
      if (more.value) recount(); // one that only the server had so far
      store.put(job);
    }
  }

  // What was heard of a job meanwhile, now that its card is known, or nobody comes for it.
  function settle(id) {
    if (early.has(id)) store.put(early.get(id));
    early.delete(id);
  }

  function removed({ id }) {
    if (more.value && !store.knows(id)) recount();
    early.delete(id);
    store.remove(id, true);
  }

  function count(counts) {
    beyond.value = more.value === null ? NONE : less(counts, store.jobs());
  }

  function recount() {
    clearTimeout(recounts);
    recounts = setTimeout(async () => count((await ask("/jobs?limit=1").catch(() => ({ counts: {} }))).counts), RECOUNT_MS);
  }

  // At the first time the page says so itself; later what is there stays, and the line at the foot tells.
  function troubled(error) {
    if (error.problem?.status === 401) {
      state.value = "logged-out";
      showConnection("logged-out");
    } else if (state.value === "loading") state.value = "failed";
    setTimeout(begin, 5000);
  }

  async function older() {
    const { jobs, next, counts } = await ask(`/jobs?limit=${PAGE}&cursor=${encodeURIComponent(more.value)}`);
    jobs.forEach(store.put);
    more.value = next;
    count(counts);
    return jobs.length;
  }

  return { state, more, beyond, begin, older, settle, stop: () => end?.() };
}

// The server's counts without these jobs.
function less({ under_way = 0, done = 0, failed = 0, cancelled = 0 }, jobs) {
  const left = { "under-way": under_way, done, failed: failed + cancelled };
  for (const job of jobs) left[groupOfJob(job)] -= 1;
  return Object.fromEntries(Object.entries(left).map(([group, n]) => [group, Math.max(0, n)]));
}
