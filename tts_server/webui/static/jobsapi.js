// The server's API for jobs.

import { Failure, call } from "./api.js";

const PATH = "v1/audio/jobs";
const LINK_SECONDS = 86_400; // a book takes hours to hear

/** A name of one submission: sent again, it makes no second job. crypto.randomUUID is missing without TLS. */
export function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((each) => each.toString(16).padStart(2, "0")).join("");
}

/** Submit a text. `options` are fields of a job; the empty ones are left out. */
export async function submitJob(text, options, idempotencyKey, key) {
  const given = Object.entries(options).filter(([, value]) => value !== undefined && value !== "");
  const headers = { "Content-Type": "text/plain; charset=utf-8", "Idempotency-Key": idempotencyKey };
  return json(await call(`${PATH}?${new URLSearchParams(given)}`, { method: "POST", headers, body: text, key }));
}

/** A page of jobs, the newest first: {data, has_more, last_id}. */
export async function listJobs({ after, limit, key }) {
  const query = new URLSearchParams(after ? { limit, after } : { limit });
  return json(await call(`${PATH}?${query}`, { key }));
}

/** One job as it is now. */
export async function getJob(job, key) {
  return json(await call(`${PATH}/${job.id}`, { key }));
}

/** Cancel a job. Throws Failure with the code job_ended if it has just ended. */
export async function cancelJob(job, key) {
  return json(await call(`${PATH}/${job.id}/cancel`, { method: "POST", key }));
}

/** Remove a job that has ended, with its audio. */
export async function removeJob(job, key) {
  await call(`${PATH}/${job.id}`, { method: "DELETE", key });
}

/**
 * The address of a file of a job, `audio` or `subtitles`. Neither <audio> nor a link sends a key, so the server signs it.
 * The page may not load anything from a bucket, so the server sends the file itself.
 */
export async function fileAddress(job, name, key) {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ expires_in: LINK_SECONDS, redirect: false });
  const links = await json(await call(`${PATH}/${job.id}/link`, { method: "POST", headers, body, key }));
  return links[name].slice(1); // relative, since the page may be served under a path
}

async function json(response) {
  try {
    return await response.json();
  } catch {
    throw new Failure("broken");
  }
}
