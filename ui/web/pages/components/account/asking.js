// What the account page asks of the server, and what it says when it could not be done.
import { showConnection, toast } from "overspill/js/toasts.js";
import { ask, Refused } from "overspill/js/wire.js";

/** An error as one line for the person who asked. */
export function wordsOf(error) {
  if (!(error instanceof Refused)) return "The server can't be reached just now. Nothing was changed.";
  const { title, detail, remedy } = error.problem;
  return [detail || title, remedy].filter(Boolean).join(" ");
}

/** What `path` answers, or undefined where it refused: then that was said. */
export async function tried(path, how) {
  try {
    return await ask(path, how);
  } catch (error) {
    if (error instanceof Refused && error.problem.status === 401) showConnection("logged-out");
    else toast(wordsOf(error), { shownMs: 12_000 });
    return undefined;
  }
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied.");
  } catch {
    toast("The browser did not allow it: select the text and copy it yourself."); // over http browsers have no clipboard
  }
}

export function moment(ms) {
  return new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" }).format(ms);
}
