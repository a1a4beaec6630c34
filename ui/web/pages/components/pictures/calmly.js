// The server's small pictures, fetched when they come into sight and two at a time: a browser has six lines to a server,
// and pictures that are still being made there must not keep uploads from theirs.

const AT_A_TIME = 2;
const wanted = new Map(); // image element -> the address it is to show
const line = new Set(); // those in sight, first come first
const loading = new Set();
const sight = new IntersectionObserver(seen, { rootMargin: "50%" });

// `v-calmly="address"` on an <img>, in place of `src`; `v-calmly:now` does not wait for its turn.
export default {
  mounted: (image, { value, arg }) => want(image, value, arg),
  updated: (image, { value, oldValue, arg }) => value !== oldValue && want(image, value, arg),
  beforeUnmount: (image) => want(image, null),
};

function want(image, address, urgency) {
  forget(image);
  if (!address || urgency === "now" || address.startsWith("blob:")) {
    show(image, address);
  } else {
    wanted.set(image, address);
    sight.observe(image);
  }
  next();
}

function seen(entries) {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting || !wanted.has(target)) continue;
    sight.unobserve(target);
    line.add(target);
  }
  next();
}

function next() {
  for (const image of line) {
    if (loading.size >= AT_A_TIME) return;
    line.delete(image);
    loading.add(image);
    image.addEventListener("load", ended);
    image.addEventListener("error", ended);
    show(image, wanted.get(image));
  }
}

function ended({ target }) {
  forget(target);
  next();
}

function show(image, address) {
  if (address) image.src = address;
  else image.removeAttribute("src");
}

function forget(image) {
  image.removeEventListener("load", ended);
  image.removeEventListener("error", ended);
  sight.unobserve(image);
  for (const kept of [wanted, line, loading]) kept.delete(image);
}
