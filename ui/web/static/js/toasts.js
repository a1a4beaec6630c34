// Short messages at the foot of the page, told to screen readers too, and the line that says how the connection is.

const SHOWN_MS = 6000;

// Shows `text`; with an `action` ({label, run}) a button goes with it. `gone` is called when it went without the action.
export function toast(text, { action = null, gone = null, shownMs = SHOWN_MS } = {}) {
  const line = document.createElement("div");
  line.className = "toast";
  line.append(Object.assign(document.createElement("span"), { textContent: text }));
  let open = true;
  const end = (acted) => {
    if (!open) return;
    open = false;
    line.remove();
    if (acted) action.run();
    else gone?.();
  };
  if (action) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: action.label });
    button.addEventListener("click", () => end(true));
    line.append(button);
  }
  document.getElementById("toasts").append(line);
  setTimeout(end, shownMs, false);
  addEventListener("pagehide", () => end(false), { once: true });
}

const WORDS = {
  fine: "",
  reconnecting: "Reconnecting … what you see may be a little old.",
  offline: "You are offline. Your pictures are safe; this page goes on when the line is back.",
};

// Says how the connection is: fine, reconnecting, offline, or logged-out.
export function showConnection(state) {
  const line = document.getElementById("connection");
  if (line.dataset.state === state) return;
  line.dataset.state = state;
  line.replaceChildren(WORDS[state] ?? "You are logged out. ");
  if (state === "logged-out") {
    const next = encodeURIComponent(location.pathname + location.search);
    line.append(Object.assign(document.createElement("a"), { href: `/login?next=${next}`, textContent: "Log in again" }));
  }
}
