// What the server tells, as the page keeps it: whole samples, and columns of numbers. Nothing but functions.

const isVm = (target) => target !== "cloud";
export const isParked = (queue) => queue.startsWith("parked.");
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** A JSON merge patch (RFC 7396) applied; what has not changed stays the same object, so that nobody redraws it. */
export function merged(old, patch) {
  const next = { ...old };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete next[key];
    else next[key] = isObject(value) ? merged(isObject(next[key]) ? next[key] : {}, value) : value;
  }
  return next;
}

/** What a sample says of its own moment: key -> number. */
export function gauges(sample) {
  const found = {};
  for (const [name, vm] of Object.entries(sample.vms)) {
    for (const figure of ["cpu", "load", "ram"]) if (vm[figure] != null) found[`${figure}/${name}`] = vm[figure];
  }
  for (const [name, n] of Object.entries(sample.queues)) found[`queue/${name}`] = n;
  found["queue/parked"] = total(sample.queues, isParked);
  for (const name of ["p50", "p95", "p99"]) if (sample.latency[name] != null) found[`total/${name}`] = sample.latency[name];
  if (sample.cloud) Object.assign(found, { "total/in_flight": sample.cloud.in_flight, "total/spent_today": sample.cloud.spent_today });
  return found;
}

/** What a sample says of the whole second before it. */
export function happened(sample) {
  const placed = Object.entries(sample.placed ?? {}).map(([name, n]) => [`placed/${name}`, n]);
  const onVms = total(sample.placed, isVm);
  return { ...Object.fromEntries(placed), "placed/*": onVms, "total/done": sample.done ?? 0, "total/failed": sample.failed ?? 0 };
}

/** The server's history as moments and columns. */
export function columnsOf({ from_ms, step_ms, rows, vms, placed, queues, total }) {
  const at = Array.from({ length: rows }, (_, row) => from_ms + row * step_ms);
  const columns = {};
  for (const [name, { cpu, load, ram }] of Object.entries(vms)) {
    Object.assign(columns, { [`cpu/${name}`]: cpu, [`load/${name}`]: load, [`ram/${name}`]: ram });
  }
  for (const [kind, group] of Object.entries({ placed, queue: queues, total })) {
    for (const [name, values] of Object.entries(group)) columns[`${kind}/${name}`] = values;
  }
  columns["placed/*"] = together(placed, isVm, rows);
  columns["queue/parked"] = together(queues, isParked, rows);
  return [at, columns];
}

/** Columns added up, of the names that `wanted` takes; null where none has a number. */
function together(columns, wanted, rows) {
  const sum = new Array(rows).fill(null);
  for (const [name, values] of Object.entries(columns)) {
    if (wanted(name)) values.forEach((value, row) => (sum[row] = value === null ? sum[row] : (sum[row] ?? 0) + value));
  }
  return sum;
}

/** Sum of what holds numbers, of the names that `wanted` takes. */
export function total(numbers, wanted = () => true) {
  return Object.entries(numbers ?? {}).reduce((sum, [name, n]) => (wanted(name) ? sum + n : sum), 0);
}

/** Jobs that wait anywhere, those that only an operator can move left out. */
export const inLine = (queues) => total(queues, (name) => name === "lanes" || name === "overflow" || isParked(name));
