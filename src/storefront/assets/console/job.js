/**
 * A job on the page: followed from wherever it was started, as long as somebody looks.
 */

import { html, useEffect, useRef, useState } from "../shared/html.js";
import { api } from "../shared/api.js";
import { count } from "../shared/format.js";
import { Problem } from "../shared/problem.js";
import { announce, toast } from "../shared/ui.js";
import { attempt } from "./parts.js";
import { follow, hasEnded } from "./stream.js";

/**
 * @param {string} kind where such jobs are: `"/api/admin/reindex/"`
 * @param {{onEnd?: (job: object) => void}} [how] called when a job ends that was seen to run
 * @returns {{job: object | null, watch: (id: number) => void, cancel: () => void, forget: () => void}}
 */
export function useJob(kind, { onEnd } = {}) {
  const [job, setJob] = useState(null);
  const stop = useRef(null);
  useEffect(() => () => stop.current?.abort(), []);
  const forget = () => {
    stop.current?.abort();
    setJob(null);
  };
  const watch = async (id) => {
    stop.current?.abort();
    const mine = new AbortController();
    stop.current = mine;
    let wasRunning = false;
    const told = (now) => {
      if (mine.signal.aborted) return;
      setJob(now);
      if (hasEnded(now) && wasRunning) {
        announce(`It has ${now.status}.`);
        onEnd?.(now);
      }
      wasRunning = !hasEnded(now);
    };
    try {
      await follow(`${kind}${id}/`, told, mine.signal);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      toast(problem.message);
    }
  };
  const cancel = () => attempt(() => api.delete(`${kind}${job.id}/`), "It stops at the next opportunity.");
  return { job, watch, cancel, forget };
}

/**
 * The newest job of a kind that is on record, whoever started it, from wherever; null: none.
 * @param {"reindex" | "import"} kind
 * @returns {Promise<number | null>}
 */
export async function newest(kind) {
  const { results } = await api.get("/api/admin/audit/?action=job.create&page_size=20");
  return results.find(({ after }) => after?.kind === kind)?.entity_id ?? null;
}

/**
 * How far a job is.
 * @param {{job: object, label: string, noun: string}} props
 */
export function Progress({ job, label, noun }) {
  const { documents_done: done, documents_total: total } = job;
  const isOver = hasEnded(job);
  const max = total ?? Math.max(done, 1);
  return html`<div class="progress-box">
    <progress class=${`progress ${job.status}`} aria-label=${label} max=${Math.max(max, 1)} value=${job.status === "succeeded" ? Math.max(max, 1) : total === null && !isOver ? undefined : done}></progress>
    <p class="fine number">${count(done)}${total === null ? "" : ` of ${count(total)}`} ${noun}</p>
  </div>`;
}
