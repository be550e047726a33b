/**
 * Bringing a catalog in by a file, and taking it out again.
 */

import { html, useEffect, useId, useRef, useState } from "../shared/html.js";
import { api } from "../shared/api.js";
import { count, plural } from "../shared/format.js";
import { Icon } from "../shared/icons.js";
import { Problem } from "../shared/problem.js";
import { token } from "../shared/session.js";
import { toast } from "../shared/ui.js";
import { written } from "./catalog.js";
import { Progress, newest, useJob } from "./job.js";
import { Listing, ROWS } from "./listing.js";
import { Badge, Part, Sheet, When } from "./parts.js";
import { asked, usePlace } from "./place.js";
import { hasEnded } from "./stream.js";

const PATH = "/api/admin/import/";

/** The page. */
export function Imports() {
  const [file, setFile] = useState(null);
  const [onError, setOnError] = useState("reject");
  const [isSending, setSending] = useState(false);
  const [problem, setProblem] = useState(null);
  const place = usePlace();
  const { job, watch, cancel } = useJob(PATH, { onEnd: (ended) => written(ended.catalog_version) });
  useEffect(() => {
    // The last one is shown, whoever sent it. What cannot be asked for now is not worth a complaint.
    newest("import").then((id) => id !== null && watch(id)).catch(() => {});
  }, []);
  const send = async (isDry) => {
    if (isSending || file === null) return;
    setSending(true);
    setProblem(null);
    const form = new FormData();
    form.set("file", file);
    try {
      const made = await api.post(`${PATH}?${new URLSearchParams({ dry_run: String(isDry), on_error: onError })}`, form);
      place.change({ page: null }, { replace: true });
      watch(made.id);
    } catch (refusal) {
      if (!(refusal instanceof Problem)) throw refusal;
      setProblem(refusal);
    } finally {
      setSending(false);
    }
  };
  const isRunning = job !== null && !hasEnded(job);
  const isOff = isSending || isRunning || file === null;
  return html`<${Sheet} title="Import and export" lead="NDJSON or CSV, plain or gzip: rows with a SKU that is known change that product, others make one.">
    <${Part} title="Import a file">
      <${Drop} file=${file} onFile=${setFile} />
      <fieldset class="options"><legend class="label">When a row is refused</legend>
        <label class="check"><input type="radio" name="on_error" checked=${onError === "reject"} onChange=${() => setOnError("reject")} />Keep nothing of the file</label>
        <label class="check"><input type="radio" name="on_error" checked=${onError === "skip"} onChange=${() => setOnError("skip")} />Keep every other row</label>
      </fieldset>
      ${problem && html`<p class="note bad" role="alert"><${Icon} name="alert" />${problem.rest()}</p>`}
      <div class="actions">
        <button type="button" class="button primary" aria-disabled=${isOff ? "true" : undefined} onClick=${() => isOff || send(true)}>${isSending && html`<span class="spinner" aria-hidden="true"></span>`}Try it out</button>
        <button type="button" class="button" aria-disabled=${isOff ? "true" : undefined} onClick=${() => isOff || send(false)}>Import for good</button>
        <span class="fine">Trying it out checks every row and keeps nothing.</span>
      </div>
    <//>
    ${job && html`<${Result} job=${job} place=${place} onCancel=${cancel} />`}
    <${Export} />
  <//>`;
}

function Drop({ file, onFile }) {
  const id = useId();
  const input = useRef(null);
  const [isOver, setOver] = useState(false);
  const dropped = (event) => {
    event.preventDefault();
    setOver(false);
    const [first] = event.dataTransfer.files;
    if (first) onFile(first);
  };
  const over = (event) => {
    event.preventDefault();
    setOver(true);
  };
  return html`<div class=${`drop ${isOver ? "over" : ""}`} onDragOver=${over} onDragLeave=${() => setOver(false)} onDrop=${dropped}>
    <${Icon} name="upload" />
    ${file ? html`<p><strong>${file.name}</strong> <span class="fine number">${count(Math.ceil(file.size / 1000))} kB</span></p>` : html`<p>Drop a file here, or choose one.</p>`}
    <label class="button small" for=${id}>${file ? "Choose another" : "Choose a file"}</label>
    <input id=${id} ref=${input} class="hidden" type="file" accept=".ndjson,.jsonl,.csv,.gz,application/x-ndjson,text/csv" onChange=${(event) => event.target.files[0] && onFile(event.target.files[0])} />
  </div>`;
}

const COLUMNS = [
  { head: "Line", cell: (row) => count(row.line), class: "right" },
  { head: "SKU", cell: (row) => (row.sku ? html`<code>${row.sku}</code>` : html`<span class="muted">–</span>`) },
  { head: "Why", cell: (row) => row.reason },
];

function Result({ job, place, onCancel }) {
  const isOver = hasEnded(job);
  const numbers = [["made", job.rows_created], ["changed", job.rows_updated], ["refused", job.rows_refused]];
  const kept = job.dry_run ? "Nothing was kept: it was tried out." : job.status === "failed" && job.on_error === "reject" ? "Nothing of the file was kept." : "";
  return html`<${Part} title=${job.dry_run ? "Tried out" : "Imported"} actions=${!isOver && html`<button type="button" class="button danger small" onClick=${onCancel}>Cancel</button>`}>
    <div class="job">
      <p class="job-line"><${Badge} code=${job.status} /><span class="fine">Job ${job.id}, started <${When} at=${job.started_at} />${job.finished_at && html`, ended <${When} at=${job.finished_at} />`}</span></p>
      <${Progress} job=${job} label="Import" noun="rows" />
      <ul class="counts">${numbers.map(([name, value]) => html`<li key=${name}><strong class=${`number ${name === "refused" && value > 0 ? "lacking" : ""}`}>${count(value)}</strong> <span class="fine">${job.dry_run && name !== "refused" ? `would be ${name}` : name}</span></li>`)}</ul>
      ${kept && isOver && html`<p class="fine">${kept}</p>`}
      ${job.error && html`<p class="note bad" role="alert"><${Icon} name="alert" />${job.rows_refused > 0 ? "Rows were refused: mend them and send the file again, or keep every other row." : job.error}</p>`}
      ${isOver && job.rows_refused > 0 && html`<h3 class="minor">${plural(job.rows_refused, "row")} refused</h3>
        <${Listing} key=${job.id} label="Refused rows" noun="row" path=${asked(`${PATH}${job.id}/errors/`, { page: place.params.get("page"), page_size: ROWS })} columns=${COLUMNS} place=${place} />`}
    </div>
  <//>`;
}

/** Gathered by the page first: a download by itself could not say who asks. */
async function save(format, name) {
  // Renews the token, if need be: the stream below is asked for with it.
  await api.get("/api/auth/me/");
  const response = await fetch(`/api/admin/export/?format=${format}`, { headers: { authorization: `Bearer ${token()}` } });
  if (!response.ok) throw new Problem(response.status, await response.json().catch(() => ({})));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function Export() {
  const [busy, setBusy] = useState(null);
  const take = async (format) => {
    if (busy) return;
    setBusy(format);
    try {
      await save(format, `catalog.${format}`);
      toast("The catalog is in your downloads.");
    } catch (problem) {
      if (!(problem instanceof Problem) && !(problem instanceof TypeError)) throw problem;
      toast(problem instanceof Problem ? problem.message : "The export broke off. Try again.");
    } finally {
      setBusy(null);
    }
  };
  return html`<${Part} title="Export" lead="The whole catalog at one snapshot, as it can be imported again.">
    <div class="actions">${[["ndjson", "NDJSON"], ["csv", "CSV"]].map(([format, label]) => html`<button key=${format} type="button" class="button" aria-disabled=${busy ? "true" : undefined} onClick=${() => take(format)}>
      ${busy === format ? html`<span class="spinner" aria-hidden="true"></span>` : html`<${Icon} name="down" class="small" />`}${label}</button>`)}</div>
  <//>`;
}
