/**
 * How the search is tuned: a draft of its settings, what it would change, and whether it is kept.
 */

import { html, useEffect, useState } from "../shared/html.js";
import { request } from "../shared/api.js";
import { Icon } from "../shared/icons.js";
import { Problem } from "../shared/problem.js";
import { Skeleton, Trouble, announce, toast } from "../shared/ui.js";
import { Part, Sheet, When, confirmed } from "./parts.js";
import { Preview } from "./preview.js";
import { Synonyms, kept, rulesOf } from "./synonyms.js";

const PATH = "/api/admin/search-settings/";
const WEIGHTS = [["name", "Name"], ["brand", "Brand"], ["sku", "SKU"], ["category", "Category"], ["attributes", "Attributes"], ["variants", "Variant names"], ["description", "Description"]];

/** What is edited, of what the API says. */
const draftOf = (settings) => ({ rules: rulesOf(settings.synonyms), stopWords: settings.stop_words.join(", "), weights: { ...settings.weights } });

const wordsOf = (text) => text.split(/[\s,]+/).filter(Boolean);

/** What the API is told, of what is edited. */
const bodyOf = (draft) => ({ synonyms: kept(draft.rules), stop_words: wordsOf(draft.stopWords), weights: draft.weights });

/** The page. */
export function Settings() {
  const [state, setState] = useState({ settings: null, etag: null, draft: null, problem: null });
  const [refusal, setRefusal] = useState(null);
  const [isBusy, setBusy] = useState(false);
  const show = ({ json, headers }) => setState({ settings: json, etag: headers.get("etag"), draft: draftOf(json), problem: null });
  const load = async () => {
    try {
      show(await request("GET", PATH, undefined, { whole: true }));
      setRefusal(null);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      setState((old) => ({ ...old, problem }));
    }
  };
  useEffect(() => void load(), []);
  const { settings, draft, etag, problem } = state;
  if (problem && !settings) return html`<${Sheet} title="Search"><${Trouble} problem=${problem} onRetry=${load} /><//>`;
  if (!settings) return html`<${Sheet} title="Search"><${Skeleton} h="24rem" /><//>`;

  const body = bodyOf(draft);
  const isChanged = JSON.stringify(body) !== JSON.stringify(bodyOf(draftOf(settings)));
  const edit = (changes) => setState((old) => ({ ...old, draft: { ...old.draft, ...changes } }));
  const save = async () => {
    if (isBusy || !isChanged) return;
    setBusy(true);
    try {
      const answer = await request("PUT", PATH, body, { whole: true, headers: { "if-match": etag } });
      show(answer);
      setRefusal(null);
      toast("Every search is answered under these settings now.");
    } catch (fault) {
      if (!(fault instanceof Problem)) throw fault;
      setRefusal(fault);
      announce(fault.message);
    } finally {
      setBusy(false);
    }
  };
  const undo = async () => {
    if (refusal?.status === 412) return load();
    if (await confirmed({ title: "Undo all changes?", text: "The draft becomes what holds now.", yes: "Undo", danger: true })) {
      edit(draftOf(settings));
      setRefusal(null);
    }
  };
  return html`<${Sheet} title="Search" lead=${html`Version ${settings.version}${settings.updated_at ? html`, set <${When} at=${settings.updated_at} />` : ", the defaults"}. ${settings.rebuild_needed ? "It holds after a reindex." : "Changes hold at once, on every node, without a reindex."}`}>
    <div class="tuning">
      <div class="stack">
        <${Synonyms} rules=${draft.rules} onChange=${(rules) => edit({ rules })} faults=${refusal?.faults ?? []} />
        <${Part} title="Stop words" lead="Words that need not occur in a product, unless the query has no others.">
          <textarea class="input" rows="3" aria-label="Stop words" spellcheck="false" value=${draft.stopWords} onInput=${(event) => edit({ stopWords: event.target.value })}></textarea>
          <p class="fine">Single words, apart by spaces or commas.</p>
          <${Faults} faults=${refusal?.faults ?? []} of="/stop_words" />
        <//>
        <${Part} title="Weights" lead="What a match in each kind of text is worth, relative to the others.">
          <div class="weights">${WEIGHTS.map(([name, label]) => html`<${Weight} key=${name} name=${name} label=${label} value=${draft.weights[name]} onChange=${(value) => edit({ weights: { ...draft.weights, [name]: value } })} />`)}</div>
          <${Faults} faults=${refusal?.faults ?? []} of="/weights" />
        <//>
      </div>
      <${Preview} body=${body} isChanged=${isChanged} />
    </div>
    <div class=${`bar-foot sticky ${isChanged ? "" : "resting"}`}>
      <button type="button" class="button primary" aria-disabled=${isBusy || !isChanged ? "true" : undefined} onClick=${save}>Apply</button>
      ${isChanged && html`<button type="button" class="button" onClick=${undo}>${refusal?.status === 412 ? "Take theirs" : "Undo"}</button>`}
      <span class="fine">${isChanged ? "A draft: nobody else's search is other for it yet." : "Nothing is changed."}</span>
      ${refusal && html`<p class="note bad" role="alert"><${Icon} name="alert" />${refusal.status === 412 ? "Somebody else has set them since you opened this page. Take theirs, or copy what you need first." : refusal.faults.length > 0 ? "Some of it cannot be; see above." : refusal.message}</p>`}
    </div>
  <//>`;
}

function Faults({ faults, of }) {
  const here = faults.filter(({ pointer }) => pointer?.startsWith(of));
  if (here.length === 0) return null;
  return html`<ul class="faults" role="alert">${here.map(({ pointer, detail }) => html`<li key=${pointer}>${pointer.split("/").slice(2).join(" ")} ${detail}</li>`)}</ul>`;
}

function Weight({ name, label, value, onChange }) {
  const typed = (event) => {
    const next = Number(event.target.value);
    if (event.target.value !== "" && Number.isFinite(next)) onChange(next);
  };
  return html`<div class="weight">
    <label for=${`weight-${name}`}>${label}</label>
    <input id=${`weight-${name}`} type="range" min="0" max="20" step="0.1" value=${Math.min(value, 20)} onInput=${typed} />
    <input class="input small number" type="number" min="0" max="100" step="0.1" value=${value} aria-label=${`${label}, as a number`} onInput=${typed} />
  </div>`;
}
