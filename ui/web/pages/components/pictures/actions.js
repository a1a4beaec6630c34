// What can be done with a picture on the page.

import { toast } from "overspill/js/toasts.js";
import { nameOf } from "overspill/js/words.js";
import { ask } from "overspill/js/wire.js";
import { focusItem } from "overspill/components/pictures/focus.js";

const UNDO_MS = 6000;

// True when the server keeps it no more, since now or since before.
async function unkeep(id) {
  try {
    await ask(`/jobs/${id}`, { method: "DELETE", keepalive: true });
  } catch (error) {
    if (error.problem?.status !== 404) throw error;
  }
  return true;
}

// `show` opens the large view: show(item, "picture" | "why").
export function makeActions(store, uploads, show) {
  async function attempt(what, work) {
    try {
      return await work();
    } catch (error) {
      toast(error.problem ? `${what}: ${error.problem.detail ?? error.problem.title}` : `${what}: the server can't be reached.`);
      return null;
    }
  }

  async function cancel(item) {
    if (item.upload) {
      uploads.cancel(item);
      store.drop(item);
      return;
    }
    item.cancelling = true;
    const told = await attempt("Not cancelled", () => ask(`/jobs/${item.job.id}`, { method: "DELETE" }));
    if (told) store.put(told);
    else item.cancelling = false;
  }

  async function retry(item) {
    const job = await attempt("Not tried again", () => ask(`/jobs/${item.job.id}/retry`, { method: "POST" }));
    if (!job) return null;
    item.retried = true;
    store.put(job);
    return job;
  }

  // Gone from the page at once, from the server when nobody has taken it back for a while; back if that fails.
  function remove(item) {
    const { id } = item.job;
    store.remove(id);
    const back = () => store.restore(item);
    const undo = { label: "Undo", run: () => [back(), focusItem(item)] };
    const gone = async () => (await attempt("Not removed", () => unkeep(id))) || back();
    toast(`Removed ${item.job.name || "the picture"}.`, { action: undo, gone, shownMs: UNDO_MS });
  }

  async function copy(item) {
    const text = item.job.result.caption;
    try {
      await navigator.clipboard.writeText(text);
      toast("Copied.");
    } catch {
      toast(`This browser lets no page copy here. The caption: ${text}`);
    }
  }

  function download(item) {
    Object.assign(document.createElement("a"), { href: item.job.result.url, download: nameOf(item.job) }).click();
  }

  const resend = (item) => uploads.send(item);
  const open = (item) => item.job && show(item, "picture");
  const why = (item) => show(item, "why");
  return { cancel, retry, remove, copy, download, resend, open, why };
}
