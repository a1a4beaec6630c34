// Follow what happens, with Node's amqplib: `node listen_amqplib.mjs [--count N] [PATTERN...]`.
// Needs `npm install` in this folder, and AMQP_URL in the environment.
//
// Prints each event's routing key and body; `job.#` (the default) is every step of every job, `vm.heartbeat.*` the
// pulse of the VMs, `#` everything.

import process from "node:process";
import { parseArgs } from "node:util";
import amqplib from "amqplib";

// A listener's queue should have an end: when this program can't keep up, the broker drops the oldest events instead
// of keeping them all. Jobs never wait for a listener.
const BOUNDED = { exclusive: true, maxLength: 10_000, arguments: { "x-overflow": "drop-head" } };

// That limit counts what lies in the queue. Without acks the broker would hand everything over at once, and keep in its
// memory what our connection does not take; so it sends so many ahead, and no more until they are acked.
const AHEAD = 200;

const { values, positionals } = parseArgs({ options: { count: { type: "string" } }, allowPositionals: true });
const patterns = positionals.length ? positionals : ["job.#"];
let left = Number(values.count ?? Infinity);

function end(why) {
  console.error(why);
  process.exit(1);
}

const url = new URL(process.env.AMQP_URL ?? "amqp://guest:guest@localhost:5672");
url.searchParams.set("heartbeat", "30"); // seconds; the broker ends a connection that has stood still for two of them
const connection = await amqplib.connect(url.href).catch((error) => end(`no broker at ${url.host}: ${error.message}`));
connection.on("error", () => {}); // "close" comes next
const channel = await connection.createChannel();
await channel.prefetch(AHEAD);
const { queue } = await channel.assertQueue("", BOUNDED);
for (const pattern of patterns) await channel.bindQueue(queue, "events", pattern);
console.error(`listening for ${patterns.join(" ")}`);

await new Promise((resolve, reject) => {
  const show = (message) => {
    if (message === null) return reject(new Error("the broker took the queue away"));
    if (left-- > 0) console.log(message.fields.routingKey, message.content.toString());
    channel.ack(message);
    if (left <= 0) resolve();
  };
  channel.consume(queue, show).catch(reject);
  connection.on("close", () => reject(new Error("the connection was lost; start again to go on listening")));
}).catch((error) => end(error.message));
await connection.close();
