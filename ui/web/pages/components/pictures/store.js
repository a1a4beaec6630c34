// All pictures on the page, newest first: those on their way to the server, and the jobs it told us of.
// An item lives as long as its card: it begins as an upload, and the job it becomes keeps the same key.

import { shallowReactive } from "vue";
import { ENDED } from "overspill/js/words.js";

export function makeStore() {
  const items = shallowReactive(new Map());
  const keys = new Map(); // job id -> key of its item
  const gone = new Set(); // ids of jobs that the user has removed, whatever late events say

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
    } else if (job.updated_ms >= item.job.updated_ms) item.job = job;
  }

  // The upload `item` has become `job`; its events may have come before the answer did.
  function adopt(item, job) {
    const known = items.get(keys.get(job.id));
    if (known && known !== item) {
      items.delete(known.key);
      if (known.job.updated_ms > job.updated_ms) job = known.job;
    }
    keys.set(job.id, item.key);
    item.job = job;
    item.upload = null;
  }

  function drop(item) {
    items.delete(item.key);
    if (item.local) URL.revokeObjectURL(item.local);
  }

  function remove(id) {
    gone.add(id);
    const item = items.get(keys.get(id));
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

  return { items, add, put, adopt, drop, remove, restore, replace, find: (id) => items.get(keys.get(id)) };
}

// Where an item stands, as the filters name it.
export function groupOf(item) {
  if (item.upload) return item.upload.problem ? "failed" : "under-way";
  if (!ENDED.has(item.job.state)) return "under-way";
  return item.job.state === "done" ? "done" : "failed";
}

export function newestFirst(items) {
  return [...items].sort((one, other) => other.at - one.at);
}
