// One stream of changes, kept up: it comes back after a lost line or a restarted server, and goes on where it was.

import { showConnection } from "./toasts.js";

const PATIENCE_MS = 1500; // a break shorter than this is nobody's business
const SLOWEST_MS = 15_000;
const RESTS_AFTER_MS = 30_000; // a page that nobody looks at gives up its line to the server

// Follows `url`; `hears` maps an event's name to what to do with its data. `from` is the last event already known,
// `isIdle` tells whether a hidden page may let go of its line. Returns a function that ends it.
export function follow(url, hears, { from = null, isIdle = () => true } = {}) {
  const feed = { url, hears, last: from, isIdle, source: null, waits: 500, timers: {}, ended: false };
  const seen = () => (document.hidden ? rest(feed) : wake(feed));
  const back = () => wake(feed, true); // a stream from before may be dead without knowing it
  document.addEventListener("visibilitychange", seen);
  addEventListener("online", back);
  addEventListener("offline", showOffline);
  open(feed);
  return () => {
    feed.ended = true;
    close(feed);
    Object.values(feed.timers).forEach(clearTimeout);
    document.removeEventListener("visibilitychange", seen);
    removeEventListener("online", back);
    removeEventListener("offline", showOffline);
  };
}

function showOffline() {
  showConnection("offline");
}

function open(feed) {
  close(feed);
  if (feed.ended) return;
  const query = feed.last === null ? "" : `?last_event_id=${encodeURIComponent(feed.last)}`;
  const source = new EventSource(feed.url + query);
  feed.source = source;
  source.addEventListener("open", () => fine(feed));
  source.addEventListener("error", () => broke(feed, source));
  for (const [name, hear] of Object.entries(feed.hears)) {
    source.addEventListener(name, (event) => {
      if (event.lastEventId) feed.last = event.lastEventId;
      hear(event.data ? JSON.parse(event.data) : null);
    });
  }
}

function close(feed) {
  feed.source?.close();
  feed.source = null;
}

function fine(feed) {
  feed.waits = 500;
  clearTimeout(feed.timers.worry);
  feed.timers.worry = null;
  showConnection("fine");
}

// The browser tries again by itself after a lost line, never after an answer that it didn't like: a proxy's, or ours.
function broke(feed, source) {
  feed.timers.worry ??= setTimeout(() => showConnection(navigator.onLine ? "reconnecting" : "offline"), PATIENCE_MS);
  if (source !== feed.source || source.readyState !== EventSource.CLOSED) return;
  clearTimeout(feed.timers.again);
  feed.timers.again = setTimeout(retry, feed.waits, feed);
  feed.waits = Math.min(feed.waits * 2, SLOWEST_MS);
}

async function retry(feed) {
  if (await isLoggedOut()) {
    clearTimeout(feed.timers.worry);
    close(feed); // opened anew when somebody comes back to the page, who may have logged in elsewhere
    showConnection("logged-out");
  } else open(feed);
}

async function isLoggedOut() {
  try {
    return (await fetch("/api/v1/me")).status === 401;
  } catch {
    return false; // nobody is there to say so
  }
}

function rest(feed) {
  clearTimeout(feed.timers.rest);
  feed.timers.rest = setTimeout(() => document.hidden && feed.isIdle() && close(feed), RESTS_AFTER_MS);
}

function wake(feed, anew = false) {
  clearTimeout(feed.timers.rest);
  if (!feed.ended && !document.hidden && (anew || feed.source === null)) open(feed);
}
