/**
 * Comparing the index's files with their checksums and every document with the database, and mending what differs.
 */

import { html, useState } from "../shared/html.js";
import { api } from "../shared/api.js";
import { count, plural } from "../shared/format.js";
import { Icon } from "../shared/icons.js";
import { Problem } from "../shared/problem.js";
import { announce } from "../shared/ui.js";
import { Part } from "./parts.js";

const KINDS = [
  ["missing", "in the database, not in the index"],
  ["stale", "other in the index than in the database"],
  ["surplus", "in the index alone"],
];

/** The index against the database. */
export function Verify() {
  const [state, setState] = useState({ report: null, problem: null, isBusy: false });
  const ask = async (repair) => {
    if (state.isBusy) return;
    setState({ ...state, problem: null, isBusy: true });
    try {
      const report = await api.post(`/api/admin/index/verify/${repair ? "?repair=true" : ""}`);
      setState({ report: { ...report, repaired: repair }, problem: null, isBusy: false });
      announce(summary(report));
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      setState({ report: null, problem, isBusy: false });
    }
  };
  const { report, problem, isBusy } = state;
  return html`<${Part} title="Verify" lead="Compares every file with its checksum, and every document with the database, field by field, at one snapshot.">
    ${problem && html`<p class="note bad" role="alert"><${Icon} name="alert" />${problem.message}</p>`}
    ${report ? html`<${Report} report=${report} />` : !problem && html`<p class="muted">Not asked yet on this page.</p>`}
    <div class="actions">
      <button type="button" class="button" aria-disabled=${isBusy ? "true" : undefined} onClick=${() => ask(false)}>
        ${isBusy ? html`<span class="spinner" aria-hidden="true"></span>Comparing…` : html`<${Icon} name="check" class="small" />Verify now`}</button>
      ${report && !isRight(report) && !report.repaired && html`<button type="button" class="button primary" onClick=${() => ask(true)}>Index them anew</button>`}
    </div>
  <//>`;
}

const differences = (report) => report.missing + report.stale + report.surplus;

const isRight = (report) => differences(report) === 0 && report.damaged_files.length === 0;

function summary(report) {
  if (report.damaged_files.length > 0) {
    return `${plural(report.damaged_files.length, "damaged file")}: ${report.damaged_files.join(", ")}. The index is replaced by itself.`;
  }
  const found = differences(report);
  return `${plural(report.compared, "document")} compared: ${found === 0 ? "index and database agree." : `${plural(found, "difference")}.`}`;
}

function Report({ report }) {
  const isGood = isRight(report);
  return html`<div class="job">
    <p class=${`note ${isGood ? "good" : "warn"}`}><${Icon} name=${isGood ? "check" : "alert"} />${summary(report)}${report.repaired && " They were indexed anew."}${report.pending > 0 && ` ${count(report.pending)} changed meanwhile and were left out.`}</p>
    ${!isGood && html`<ul class="differences">${KINDS.filter(([kind]) => report[kind] > 0).map(
      ([kind, about]) => html`<li key=${kind}><strong class="number">${count(report[kind])}</strong> ${about}:
        ${report[`${kind}_ids`].slice(0, 12).map((id) => html` <a key=${id} href=${`/admin/products/${id}`}>${id}</a>`)}${report[kind] > 12 && " …"}</li>`,
    )}</ul>`}
  </div>`;
}
