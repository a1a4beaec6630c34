// When charts are painted: all that can be seen, together, once after each sample, and never while the page is hidden.

const seen = new Set();
const of = new WeakMap();
let asked = false;
let colours = null;

const sight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) isIntersecting ? seen.add(target) : seen.delete(target);
  repaint();
}, { rootMargin: "80px" });
const size = new ResizeObserver(() => repaint());

/** Paints `canvas` by `paint(theme)` whenever it is due. */
export function show(canvas, paint) {
  of.set(canvas, paint);
  sight.observe(canvas);
  size.observe(canvas);
}

export function hide(canvas) {
  seen.delete(canvas);
  sight.unobserve(canvas);
  size.unobserve(canvas);
}

export function repaint() {
  if (asked || document.hidden) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    for (const canvas of seen) of.get(canvas)(theme());
  });
}

/** The colours of the page's style sheet, as a canvas wants them. */
function theme() {
  if (colours) return colours;
  const root = document.querySelector(".dash") ?? document.body;
  const style = getComputedStyle(root);
  const named = (name) => style.getPropertyValue(name).trim();
  colours = {
    ink: style.color, soft: named("--soft"), grid: named("--line"), surface: named("--surface"),
    limit: named("--accent"), font: `11px ${style.fontFamily}`, of: (name) => named(`--chart-${name}`) || style.color,
  };
  return colours;
}

function anew() {
  colours = null;
  repaint();
}

export function watchPage() {
  const themes = new MutationObserver(anew);
  for (const target of [document.documentElement, document.body]) themes.observe(target, { attributes: true });
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", anew);
  document.addEventListener("visibilitychange", repaint);
  return () => {
    themes.disconnect();
    dark.removeEventListener("change", anew);
    document.removeEventListener("visibilitychange", repaint);
  };
}
