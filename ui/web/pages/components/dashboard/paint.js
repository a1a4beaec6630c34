// What is drawn on a chart's canvas: lines, stacked columns, a limit, a cursor. A `plot` is where, and how far.

/** A canvas as large as its box in the screen's own pixels; null while it has no size. */
export function surface(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  if (!width || !height) return null;
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { pen, width, height };
}

/** Where moments and values lie: `from` to `to` (ms) over the width, 0 to `top` over the height. */
export function plotOf({ pen, width, height }, { from, to, top, foot = 0 }) {
  const bottom = height - foot - 1;
  const head = 3;
  return {
    pen, width, bottom, from, to, top,
    x: (at) => ((at - from) / (to - from)) * width,
    y: (value) => bottom - (Math.min(value, top) / top) * (bottom - head),
  };
}

export function grid(plot, marks, theme) {
  const { pen, width } = plot;
  for (const mark of marks) {
    const y = Math.round(plot.y(mark)) + 0.5;
    pen.lineWidth = 1;
    pen.strokeStyle = theme.grid;
    pen.beginPath();
    pen.moveTo(0, y);
    pen.lineTo(width, y);
    pen.stroke();
  }
}

/** The marks in words, under their lines: written last, over what is drawn. */
export function labels(plot, marks, format, theme) {
  plot.pen.font = theme.font;
  for (const mark of marks) if (mark) written(plot.pen, format(mark), 0, Math.round(plot.y(mark)) + 12, theme);
}

function written(pen, text, x, y, theme, align = "left") {
  pen.textAlign = align;
  const wide = pen.measureText(text).width + 6;
  pen.fillStyle = theme.surface; // so that it can be read where a line runs behind it
  pen.globalAlpha = 0.82;
  if (align === "left") pen.fillRect(x, y - 10, wide, 13);
  pen.globalAlpha = 1;
  pen.fillStyle = theme.soft;
  pen.fillText(text, align === "left" ? x + 3 : x, y);
}

/** The moments under the plot: how long ago, which stays as it is while the lines move. */
export function moments(plot, minutes, theme) {
  const { pen, width } = plot;
  pen.font = theme.font;
  const parts = minutes % 3 ? 2 : 3;
  for (let i = 0; i <= parts; i += 1) {
    const ago = minutes - (minutes * i) / parts;
    const align = i === 0 ? "left" : i === parts ? "right" : "center";
    written(pen, i === parts ? "now" : `−${ago} min`, (width * i) / parts, plot.bottom + 14, theme, align);
  }
}

/** The limit that the routing goes by, dashed and named. */
export function limit(plot, value, text, theme) {
  const { pen, width } = plot;
  const y = Math.round(plot.y(value)) + 0.5;
  pen.strokeStyle = theme.limit;
  pen.lineWidth = 1;
  pen.setLineDash([5, 4]);
  pen.beginPath();
  pen.moveTo(0, y);
  pen.lineTo(width, y);
  pen.stroke();
  pen.setLineDash([]);
  if (text) written(pen, text, 0, y - 4, { ...theme, soft: theme.limit });
}

/** Points of a line, about one a pixel: the mean of what falls into it; a gap longer than `gapMs` breaks the line. */
function runs(plot, at, values, gapMs) {
  const found = [];
  let run = null;
  let [pixel, sum, n, seen] = [null, 0, 0, -Infinity];
  const settle = () => n && run.push([pixel, plot.y(sum / n)]);
  for (let i = 0; i < at.length; i += 1) {
    if (at[i] < plot.from || values[i] == null) continue;
    const x = Math.round(plot.x(at[i]));
    if (x !== pixel || at[i] - seen > gapMs) {
      settle();
      [pixel, sum, n] = [x, 0, 0];
    }
    if (at[i] - seen > gapMs) found.push((run = []));
    sum += values[i];
    n += 1;
    seen = at[i];
  }
  settle();
  return found;
}

export function line(plot, at, values, { colour, fill = 0, dash = [], width = 1.75, gapMs = 5000 }) {
  const { pen } = plot;
  for (const run of runs(plot, at, values, gapMs)) {
    pen.beginPath();
    run.forEach(([x, y]) => pen.lineTo(x, y));
    if (run.length === 1) pen.lineTo(run[0][0] + 1, run[0][1]);
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.lineJoin = "round";
    pen.setLineDash(dash);
    pen.stroke();
    pen.setLineDash([]);
    if (!fill) continue;
    pen.lineTo(run[run.length - 1][0], plot.bottom);
    pen.lineTo(run[0][0], plot.bottom);
    pen.globalAlpha = fill;
    pen.fillStyle = colour;
    pen.fill();
    pen.globalAlpha = 1;
  }
}

/** Columns stacked on each other, `stacks` from the bottom up: [{rates: Map of moment to value, colour}]. */
export function columns(plot, stacks, widthMs) {
  const { pen } = plot;
  const wide = Math.max(1, Math.floor(plot.x(plot.from + widthMs)) - 1);
  const height = new Map();
  for (const { rates, colour } of stacks) {
    pen.fillStyle = colour;
    for (const [at, value] of rates) {
      if (!value) continue;
      const below = height.get(at) ?? 0;
      const [y0, y1] = [plot.y(below), plot.y(below + value)];
      pen.fillRect(Math.round(plot.x(at)), y1, wide, Math.max(1, y0 - y1 - (below ? 1 : 0)));
      height.set(at, below + value);
    }
  }
}

/** The moment looked at, with its time beside it. */
export function cursor(plot, at, text, theme) {
  const { pen, width } = plot;
  const x = Math.round(plot.x(at)) + 0.5;
  pen.strokeStyle = theme.ink;
  pen.globalAlpha = 0.55;
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(x, 0);
  pen.lineTo(x, plot.bottom);
  pen.stroke();
  pen.globalAlpha = 1;
  pen.font = theme.font;
  const wide = pen.measureText(text).width + 8;
  written(pen, text, x + wide > width ? x - wide : x + 2, 12, theme);
}
