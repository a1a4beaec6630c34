// All pictures on the page, newest first: those on their way to the server, and the jobs it told us of.
// An item lives as long as its card: it begins as an upload, and the job it becomes keeps the same key.

import { shallowReactive } from "vue";
import { ENDED } from "overspill/js/words.js";

export function makeStore() {
  const items = shallowReactive(new Map());
  const keys = new Map(); // job id -> key of its item
  const gone = new Map(); // jobs that the user has removed, whatever late events say; null once the server has, too

  function add(fields) {
    const item = shallowReactive({ job: null, upload: null, local: null, retried: false, ...fields });
    items.set(item.key, item);
    return item;
  }

  // A job as the server tells it; older news than what is known changes nothing.
  function put(job) {
    if (gone.has(job.id)) return;
    const item = items.get(keys.get(job.id));
    if (!item) {
      keys.set(job.id, job.id);
      add({ key: job.id, job, at: job.created_ms });
    } else if (isNews(job, item.job)) item.job = job;
  }

  // The upload `item` has become `job`; its events may have come before the answer did.
  function adopt(item, job) {
    const known = items.get(keys.get(job.id));
    if (known && known !== item) {
      items.delete(known.key);
      if (!isNews(job, known.job)) job = known.job;
    }
    keys.set(job.id, item.key);
    item.job = job;
    item.upload = null;
  }

  function drop(item) {
    items.delete(item.key);
    if (item.local) URL.revokeObjectURL(item.local);
    item.local = null; // should it be restored, the server's own is shown
  }

  // By the user, or (`isTold`) by the server.
  function remove(id, isTold = false) {
    const item = items.get(keys.get(id));
    gone.set(id, isTold ? null : item?.job);
    keys.delete(id);
    if (item) drop(item);
  }

  // Takes a removal back, before the server heard of it.
  function restore(item) {
    gone.delete(item.job.id);
    keys.set(item.job.id, item.key);
    items.set(item.key, item);
  }

  // All jobs anew: those that the list no longer holds, though they would be in it, are gone.
  function replace(jobs, isWhole) {
    const listed = new Set(jobs.map((job) => job.id));
    const oldest = isWhole ? -Infinity : Math.min(...jobs.map((job) => job.created_ms));
    for (const item of [...items.values()]) {
      if (item.job && !listed.has(item.job.id) && item.job.created_ms > oldest) {
        keys.delete(item.job.id);
        drop(item);
      }
    }
    jobs.forEach(put);
  }

  // Those jobs of the server that are known here, shown or not.
  function jobs() {
    return [...items.values(), ...[...gone.values()].map((job) => ({ job }))].map(({ job }) => job).filter(Boolean);
  }

  const find = (id) => items.get(keys.get(id));
  return { items, add, put, adopt, drop, remove, restore, replace, jobs, find, knows: (id) => gone.has(id) || keys.has(id) };
}

// Whether `job` is as late as what is known of it; of one moment, the end is later than what led to it.
function isNews(job, known) {
  const reopens = ENDED.has(known.state) && !ENDED.has(job.state);
  return reopens ? job.updated_ms > known.updated_ms : job.updated_ms >= known.updated_ms;
}

// Where an item stands, as the filters name it.
export function groupOf(item) {
  if (item.upload) return item.upload.problem ? "failed" : "under-way";
  return groupOfJob(item.job);
}

export function groupOfJob(job) {
  if (!ENDED.has(job.state)) return "under-way";
  return job.state === "done" ? "done" : "failed";
}

export function newestFirst(items) {
  return [...items].sort((one, other) => other.at - one.at);
}
