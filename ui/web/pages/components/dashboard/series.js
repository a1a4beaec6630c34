// The last minutes of every figure: columns of numbers over one time axis, a gap is null. No page, no clock in here.

export class Series {
  constructor(keepMs) {
    this.keepMs = keepMs;
    this.clear();
  }

  clear() {
    this.at = [];
    this.columns = new Map();
  }

  /** All anew: `at` are Unix ms in order, `columns` maps a key to as many numbers or nulls. */
  replace(at, columns) {
    this.at = [...at];
    this.columns = new Map(Object.entries(columns).map(([key, values]) => [key, [...values]]));
  }

  /** Writes figures into the row of the moment `at`, a new one if there is none yet; older rows that aren't there stay so. */
  put(at, figures) {
    const row = this.rowOf(at);
    if (row < 0) return;
    for (const [key, value] of Object.entries(figures)) {
      if (!this.columns.has(key)) this.columns.set(key, new Array(this.at.length).fill(null));
      this.columns.get(key)[row] = value;
    }
  }

  rowOf(at) {
    if (!this.at.length || at > this.last()) {
      this.at.push(at);
      for (const values of this.columns.values()) values.push(null);
      this.forget(at - this.keepMs);
      return this.at.length - 1;
    }
    const row = this.indexAt(at);
    return this.at[row] === at ? row : -1;
  }

  forget(before) {
    let old = 0;
    while (old < this.at.length && this.at[old] < before) old += 1;
    if (!old) return;
    this.at.splice(0, old);
    for (const [key, values] of this.columns) {
      values.splice(0, old);
      if (values.every((value) => value === null)) this.columns.delete(key);
    }
  }

  column(key) {
    return this.columns.get(key) ?? [];
  }

  /** The keys that begin with `prefix`, without it. */
  names(prefix) {
    return [...this.columns.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
  }

  /** The row at or just before the moment `at`, or -1. */
  indexAt(at) {
    let low = 0;
    let high = this.at.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.at[middle] <= at) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  last() {
    return this.at[this.at.length - 1] ?? null;
  }
}

/**
 * What happened per second, in columns `width` ms wide: Map of a column's begin to its mean. Columns lie on whole
 * multiples, so that one doesn't change any more once it is past.
 */
export function rates(at, values, from, width) {
  const found = new Map();
  const first = Math.floor(from / width) * width;
  for (let i = at.length - 1; i >= 0 && at[i] >= first; i -= 1) {
    const begin = Math.floor(at[i] / width) * width;
    if (values[i] != null) found.set(begin, (found.get(begin) ?? 0) + (values[i] * 1000) / width);
  }
  return found;
}

const FRESH = 5; // rows

/** Lowest, highest and latest of the numbers from row `first` on; null where there is none, or none of late. */
export function span(values, first) {
  let low = null;
  let high = null;
  let now = null;
  for (let i = Math.max(0, first); i < values.length; i += 1) {
    const value = values[i];
    if (value === null) continue;
    low = low === null || value < low ? value : low;
    high = high === null || value > high ? value : high;
    if (i >= values.length - FRESH) now = value;
  }
  return { low, high, now };
}
