// Single keys on the work page: for the page, and for the picture in focus.

import { isFreeKey } from "overspill/js/frame.js";
import { ENDED, mayPass } from "overspill/js/words.js";

// `page` maps keys to what they do anywhere; `act` is what can be done with a picture, `find` gives that of a card.
export function listenToKeys(page, act, find) {
  function onKey(event) {
    if (!isFreeKey(event)) return;
    const card = event.target.closest?.(".card");
    const item = card && find(card.dataset.key);
    const does = page[event.key] ?? (item && ofPicture(event, card));
    if (!does) return;
    event.preventDefault();
    if (event.key in page) does(event.key);
    else does(act, item);
  }
  document.addEventListener("keydown", onKey);
  return () => document.removeEventListener("keydown", onKey);
}

// Enter on a button of the card is the button's.
function ofPicture(event, card) {
  return event.key === "Enter" && event.target !== card ? null : PICTURE[event.key];
}

const PICTURE = {
  o: (act, item) => act.open(item),
  Enter: (act, item) => act.open(item),
  w: (act, item) => item.job && act.why(item),
  d: (act, item) => item.job?.state === "done" && act.download(item),
  c: (act, item) => item.job?.result?.caption && act.copy(item),
  r: (act, item) => (item.upload ? item.upload.problem && mayPass(item.upload.problem) && act.resend(item) : canRetry(item) && act.retry(item)),
  x: (act, item) => (item.job && ENDED.has(item.job.state) ? act.remove(item) : act.cancel(item)),
};

function canRetry({ job, retried }) {
  return !retried && (job.state === "failed" || job.state === "cancelled") && mayPass(job.problem);
}
