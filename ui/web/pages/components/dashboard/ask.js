// What an operator asks of the server, and what is said when it is done, or why it isn't.
import { toast } from "overspill/js/toasts.js";
import { ask, Refused } from "overspill/js/wire.js";

const KEPT = "No router answered. The order is kept, and is carried out when one runs.";
const UNREACHED = "The server can't be reached just now. Nothing was changed.";

/** An error as one line for the person who asked. */
export function wordsOf(error) {
  if (!(error instanceof Refused)) return UNREACHED;
  const { title, detail, remedy } = error.problem;
  return [detail || title, remedy].filter(Boolean).join(" ");
}

/**
 * Asks for something to be done and says what came of it: the router's word, else `done`. Gives whether it was taken;
 * `declined` is called when the server looked and would not (409), not when it could not be asked.
 */
export async function order(path, { method = "POST", done, declined = () => {} }) {
  try {
    const answer = await ask(path, { method });
    toast(answer?.said === null ? KEPT : answer?.said || done);
    return true;
  } catch (error) {
    toast(wordsOf(error), { shownMs: 12_000 });
    if (error instanceof Refused && error.problem.status === 409) declined();
    return false;
  }
}
