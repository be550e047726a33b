/**
 * What the console's pages are put together of: their head, badges, questions before something is done.
 */

import { html } from "../shared/html.js";
import { moment, word } from "../shared/format.js";
import { Problem } from "../shared/problem.js";
import { useTitle } from "../shared/router.js";
import { store, useStore } from "../shared/store.js";
import { Dialog, toast } from "../shared/ui.js";

/**
 * A page: its title, what it is for, and what can be done.
 * @param {{title: string, lead?: any, actions?: any, back?: {href: string, label: string}, children?: any}} props
 */
export function Sheet({ title, lead, actions, back, children }) {
  useTitle(title, "duka console");
  return html`<div class="sheet">
    ${back && html`<nav aria-label="Breadcrumb" class="crumbs"><a href=${back.href}>${back.label}</a><span aria-hidden="true">/</span><span aria-current="page">${title}</span></nav>`}
    <header class="sheet-head">
      <div><h1>${title}</h1>${lead && html`<p class="fine">${lead}</p>`}</div>
      ${actions && html`<div class="actions">${actions}</div>`}
    </header>
    ${children}
  </div>`;
}

/**
 * A part of a page.
 * @param {{title: string, lead?: any, actions?: any, class?: string, children?: any}} props
 */
export function Part({ title, lead, actions, class: more = "", children }) {
  const id = `part-${title.toLowerCase().replaceAll(/[^a-z]+/g, "-")}`;
  return html`<section class=${`panel part ${more}`} aria-labelledby=${id}>
    <header class="part-head">
      <div><h2 id=${id}>${title}</h2>${lead && html`<p class="fine">${lead}</p>`}</div>
      ${actions && html`<div class="actions">${actions}</div>`}
    </header>
    ${children}
  </section>`;
}

const TONES = {
  paid: "good", succeeded: "good", delivered: "good", active: "good", running: "accent", admin: "accent",
  pending: "warn", queued: "warn", processing: "warn", unknown: "warn", partially_refunded: "warn", manual: "warn", scheduled: "accent",
  failed: "bad", cancelled: "bad", returned: "bad",
  confirmed: "accent", shipped: "accent", in_transit: "accent", vendor: "accent",
};

/**
 * A status as the API says it.
 * @param {{code: string, text?: string}} props
 */
export function Badge({ code, text }) {
  return html`<span class=${`badge ${TONES[code] ?? ""}`}>${text ?? word(code)}</span>`;
}

/** @param {{at: string | null}} props */
export function When({ at }) {
  return at ? html`<time class="number" dateTime=${at}>${moment(at)}</time>` : html`<span class="muted">–</span>`;
}

/**
 * Names and values.
 * @param {{rows: [string, any][]}} props
 */
export function Facts({ rows }) {
  return html`<dl class="facts">${rows.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

const asking = store(null);

/**
 * Asks before something that cannot be taken back.
 * @param {{title: string, text: any, yes: string, danger?: boolean}} question
 * @returns {Promise<boolean>}
 */
export const confirmed = (question) => new Promise((answer) => asking.set({ ...question, answer }));

/** Where questions are asked; stands once on a page. */
export function Questions() {
  const question = useStore(asking);
  if (!question) return null;
  const say = (answer) => {
    asking.set(null);
    question.answer(answer);
  };
  return html`<${Dialog} title=${question.title} onClose=${() => say(false)}>
    <div class="question"><p>${question.text}</p>
      <div class="actions end">
        <button type="button" class="button" onClick=${() => say(false)}>Keep as it is</button>
        <button type="button" class=${`button ${question.danger ? "danger" : "primary"}`} onClick=${() => say(true)}>${question.yes}</button>
      </div></div>
  <//>`;
}

/**
 * Does something and says how it went: `done`, or what was wrong.
 * @param {() => Promise<unknown>} work
 * @param {string} [done]
 * @returns {Promise<boolean>} whether it was done
 */
export async function attempt(work, done) {
  try {
    await work();
    if (done) toast(done);
    return true;
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    toast(problem.rest());
    return false;
  }
}
