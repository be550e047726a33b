/**
 * A job as it goes on: server-sent events, read by fetch, since the browser's own reader of them cannot say who asks.
 */

import { api } from "../shared/api.js";
import { Problem } from "../shared/problem.js";
import { token } from "../shared/session.js";

/** How long to wait before a stream that broke off is asked for again. */
const AGAIN = 1000;

/** @param {{status: string}} job */
export const hasEnded = (job) => ["succeeded", "failed", "cancelled"].includes(job.status);

/**
 * Tells of a job until it has ended; what breaks off is taken up again.
 * @param {string} path the job's, such as `/api/admin/reindex/3/`
 * @param {(job: object) => void} told
 * @param {AbortSignal} signal
 */
export async function follow(path, told, signal) {
  let last = null;
  const tell = (job) => {
    last = job;
    told(job);
  };
  while (!signal.aborted) {
    try {
      // The row is asked for first: that says what was missed, and renews the token if it has expired.
      tell(await api.get(path, { signal }));
      if (!hasEnded(last)) await read(`${path}events/`, tell, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem && error.status >= 400 && error.status < 500) throw error;
    }
    if (last && hasEnded(last)) return;
    await new Promise((done) => setTimeout(done, AGAIN));
  }
}

async function read(path, tell, signal) {
  const headers = { accept: "text/event-stream", authorization: `Bearer ${token()}` };
  const response = await fetch(path, { headers, signal });
  if (!response.ok) throw new Problem(response.status);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const lines = event.split("\n").filter((line) => line.startsWith("data:"));
      if (lines.length > 0) tell(JSON.parse(lines.map((line) => line.slice(5).trimStart()).join("\n")));
    }
  }
}
