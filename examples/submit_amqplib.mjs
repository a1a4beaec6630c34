// Send one image and wait for its answer, with Node's amqplib: `node submit_amqplib.mjs IMAGE OPERATION OUT`.
// Needs `npm install` in this folder, and AMQP_URL in the environment.

import { randomUUID } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import process from "node:process";
import amqplib from "amqplib";

const TIMEOUT_MS = 120_000;

/** Write the result and say where it ran, or say what went wrong. Returns the exit status. */
async function report({ properties, content }, out) {
  if (properties.contentType === "application/problem+json") {
    const { title, detail, remedy = "" } = JSON.parse(content.toString());
    console.error(`${title}: ${detail} ${remedy}`);
    return 1;
  }
  await writeFile(out, content);
  console.log(`${out}: ran on ${properties.headers.vm} by way of ${properties.headers.route}`);
  return 0;
}

async function submit(connection, image, operation, out) {
  const channel = await connection.createConfirmChannel();
  const { queue } = await channel.assertQueue("", { exclusive: true });
  const job = randomUUID();

  const answer = new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)), TIMEOUT_MS);
    const take = (message) => {
      if (message?.properties.correlationId !== job) return;
      clearTimeout(timer);
      resolve(message);
    };
    channel.consume(queue, take, { noAck: true }).catch(reject);
  });

  channel.publish("jobs", operation, await readFile(image), {
    messageId: job,
    correlationId: job,
    replyTo: queue,
    persistent: true,
    mandatory: true,
    headers: { user: process.env.USER ?? "anonymous" },
  });
  await channel.waitForConfirms();
  return report(await answer, out);
}

const [image, operation, out] = process.argv.slice(2);
if (!out) {
  console.error("usage: node submit_amqplib.mjs IMAGE OPERATION OUT");
  process.exit(2);
}
const connection = await amqplib.connect(process.env.AMQP_URL ?? "amqp://guest:guest@localhost:5672");
try {
  process.exitCode = await submit(connection, image, operation, out);
} finally {
  await connection.close();
}
