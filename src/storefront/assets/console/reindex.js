/**
 * Building the index anew: started, followed and cancelled here; and the way back to the one before.
 */

import { html, useEffect, useState } from "../shared/html.js";
import { api } from "../shared/api.js";
import { Icon } from "../shared/icons.js";
import { Problem } from "../shared/problem.js";
import { toast } from "../shared/ui.js";
import { Progress, newest, useJob } from "./job.js";
import { sampleNow } from "./metrics.js";
import { Badge, Part, When, attempt, confirmed } from "./parts.js";
import { hasEnded } from "./stream.js";

const PATH = "/api/admin/reindex/";

/** @param {{canGoBack: boolean}} props */
export function Reindex({ canGoBack }) {
  const { job, watch, cancel } = useJob(PATH, { onEnd: sampleNow });
  const [isAsking, setAsking] = useState(false);
  const find = async () => {
    const id = await newest("reindex");
    if (id !== null) watch(id);
  };
  // Somebody may have started one elsewhere. What cannot be asked for now is not worth a complaint.
  useEffect(() => void find().catch(() => {}), []);
  const start = async () => {
    if (isAsking) return;
    setAsking(true);
    try {
      watch((await api.post(PATH)).id);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      toast(problem.message);
      if (problem.slug === "already-running") await find();
    } finally {
      setAsking(false);
    }
  };
  const goBack = async () => {
    const text = "The index before the last reindex is brought up to date, checked, and takes over. Searches see the one, then the other.";
    if (!(await confirmed({ title: "Go back to the index before?", text, yes: "Go back" }))) return;
    if (await attempt(() => api.post("/api/admin/index/rollback/"), "The index before answers again.")) sampleNow();
  };
  const isRunning = job !== null && !hasEnded(job);
  return html`<${Part} title="Reindex" lead="Builds the index anew beside the one that answers; searches never see less.">
    ${job ? html`<div class="job">
        <p class="job-line"><${Badge} code=${job.status} /><span class="fine">Job ${job.id}, started <${When} at=${job.started_at} />${job.finished_at && html`, ended <${When} at=${job.finished_at} />`}</span></p>
        <${Progress} job=${job} label="Reindex" noun="documents" />
        ${job.error && html`<p class="note bad" role="alert">${job.error}</p>`}
      </div>` : html`<p class="muted">None on record yet.</p>`}
    <div class="actions">
      ${isRunning
        ? html`<button type="button" class="button danger" onClick=${cancel}><${Icon} name="close" class="small" />Cancel</button>`
        : html`<button type="button" class="button primary" aria-disabled=${isAsking ? "true" : undefined} onClick=${start}><${Icon} name="refresh" class="small" />Reindex now</button>`}
      ${canGoBack && !isRunning && html`<button type="button" class="button" onClick=${goBack}>Go back to the one before</button>`}
    </div>
  <//>`;
}
