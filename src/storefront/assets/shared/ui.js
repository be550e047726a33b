/**
 * The components that both pages are made of; `controls.css`, `components.css` and `overlays.css` dress them.
 */

import { html, useEffect, useErrorBoundary, useId, useRef, useState } from "./html.js";
import { lookNow, server } from "./api.js";
import { Icon } from "./icons.js";
import { Problem } from "./problem.js";
import { store, useStore } from "./store.js";
import { count } from "./format.js";

// What is said to who listens -----------------------------------------------------------------------------------

const said = store("");

/**
 * Says a sentence to who listens to the page and does not see it.
 * @param {string} text
 */
export function announce(text) {
  said.set("");
  setTimeout(() => said.set(text), 60);
}

/** Where announcements are made; stands once on a page. */
export function Announcer() {
  return html`<p class="hidden" role="status" aria-live="polite">${useStore(said)}</p>`;
}

// Messages that pass --------------------------------------------------------------------------------------------

const toasts = store([]);
let nextToast = 0;

/**
 * Shows a message for some seconds.
 * @param {string} text
 * @param {{href?: string, label?: string, onAction?: () => void}} [action] where it leads, or what it does
 */
export function toast(text, action) {
  const id = (nextToast += 1);
  toasts.set([...toasts.get().slice(-2), { id, text, action }]);
  setTimeout(() => dismiss(id), 7000);
}

const dismiss = (id) => toasts.set(toasts.get().filter((one) => one.id !== id));

/** Where messages are shown; stands once on a page. */
export function Toasts() {
  const shown = useStore(toasts);
  return html`<div class="toasts" role="status" aria-live="polite">
    ${shown.map(
      ({ id, text, action }) => html`<div class="toast" key=${id}>
        <span>${text}</span>
        ${action?.href && html`<a href=${action.href} onClick=${() => dismiss(id)}>${action.label}</a>`}
        <button type="button" class="icon-button" aria-label="Dismiss" onClick=${() => dismiss(id)}>
          <${Icon} name="close" class="small" />
        </button>
      </div>`,
    )}
  </div>`;
}

// The server is away --------------------------------------------------------------------------------------------

/** Says that the server does not answer, and goes when it does. */
export function Outage() {
  const state = useStore(server);
  if (state === "up") return null;
  return html`<div class="outage" role="alert">
    <${Icon} name="offline" />
    <span>The shop does not answer. It is tried again by itself; what you see may be out of date.</span>
    <button type="button" class="button small" onClick=${lookNow}>Try now</button>
  </div>`;
}

/**
 * What went wrong with what should have been shown here.
 * @param {{problem: Error, onRetry?: () => void, title?: string, isPage?: boolean}} props `isPage`: it is all that the
 *   page has
 */
export function Trouble({ problem, onRetry, title, isPage = false }) {
  const isAway = problem instanceof Problem && problem.isAway;
  const isGone = problem instanceof Problem && problem.status === 404;
  const heading = title ?? (isAway ? "The shop cannot be reached" : isGone ? "Not found" : "That did not work");
  const text = isAway
    ? "Your connection or the server is away. This page fills itself as soon as it is back."
    : problem.message;
  return html`<div class="empty" role="alert">
    <${Icon} name=${isAway ? "offline" : isGone ? "search" : "alert"} />
    ${isPage ? html`<h1>${heading}</h1>` : html`<h2>${heading}</h2>`}
    <p>${text}</p>
    ${onRetry && !isGone && html`<button type="button" class="button" onClick=${onRetry}>Try again</button>`}
  </div>`;
}

/**
 * Around what may break: says so in its place, and leaves everything else as it is.
 * @param {{children: any}} props
 */
export function Guard({ children }) {
  const [broken, mend] = useErrorBoundary((error) => console.error(error));
  if (!broken) return children;
  return html`<div class="empty" role="alert">
    <${Icon} name="alert" />
    <h2>This part of the page has broken</h2>
    <p>That is a fault of the page and not yours.</p>
    <button type="button" class="button" onClick=${mend}>Show it again</button>
  </div>`;
}

// Dialogs -------------------------------------------------------------------------------------------------------

/**
 * A dialog over the page, or a drawer at its side. It keeps the focus within, closes on Escape and beside it, and gives
 * the focus back.
 * @param {{title: string, onClose: () => void, kind?: string, foot?: any, children?: any}} props `kind`: `"drawer"`,
 *   `"drawer start"`, `"roomy"`
 */
export function Dialog({ title, onClose, kind = "", foot, children }) {
  const box = useRef(null);
  const id = useId();
  // What has the focus when it is asked for: an effect comes after the next picture, when it may have gone elsewhere.
  const before = useRef(document.activeElement);
  useEffect(() => {
    const dialog = box.current;
    dialog.showModal();
    return () => {
      dialog.close();
      if (before.current?.isConnected) before.current.focus();
    };
  }, []);
  const beside = (event) => event.target === box.current && onClose();
  const cancelled = (event) => {
    event.preventDefault();
    onClose();
  };
  return html`<dialog class=${`dialog ${kind}`} ref=${box} aria-labelledby=${id} onCancel=${cancelled} onMouseDown=${beside}>
    <div class="dialog-head">
      <h2 id=${id}>${title}</h2>
      <button type="button" class="icon-button" aria-label="Close" onClick=${onClose}><${Icon} name="close" /></button>
    </div>
    <div class="dialog-body">${children}</div>
    ${foot && html`<div class="dialog-foot">${foot}</div>`}
  </dialog>`;
}

// Forms ---------------------------------------------------------------------------------------------------------

/**
 * A labelled input; what is wrong with it is said beside it.
 * @param {{label: string, name: string, fault?: string, hint?: string, as?: string, children?: any}} props the rest
 *   goes to the element
 */
export function Field({ label, name, fault, hint, as = "input", children, ...rest }) {
  const id = useId();
  const about = [fault && `${id}-fault`, hint && `${id}-hint`].filter(Boolean).join(" ") || undefined;
  const Element = as;
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <${Element} id=${id} name=${name} class="input" aria-invalid=${fault ? "true" : undefined} aria-describedby=${about} ...${rest}>
      ${children}
    <//>
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
    ${fault && html`<p class="fault" id=${`${id}-fault`}><${Icon} name="alert" class="small" />${fault}</p>`}
  </div>`;
}

/**
 * A form that is sent once at a time, and leads to its first fault.
 * @param {{onSend: (values: Record<string, string>) => Promise<void>, shown?: string[], children: (state: {problem:
 *   Problem | null, isBusy: boolean}) => any}} props `shown`: the names of its fields
 */
export function Form({ onSend, shown = [], children, ...rest }) {
  const [state, setState] = useState({ problem: null, isBusy: false });
  const form = useRef(null);
  const send = async (event) => {
    event.preventDefault();
    if (state.isBusy) return;
    setState({ problem: null, isBusy: true });
    try {
      await onSend(Object.fromEntries(new FormData(form.current)));
      setState({ problem: null, isBusy: false });
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      setState({ problem, isBusy: false });
      requestAnimationFrame(() => form.current?.querySelector("[aria-invalid=true], [role=alert]")?.focus());
    }
  };
  const rest_of = state.problem?.rest(shown);
  return html`<form class="form" ref=${form} onSubmit=${send} noValidate ...${rest}>
    ${rest_of && html`<div class="note bad" role="alert" tabindex="-1"><${Icon} name="alert" />${rest_of}</div>`}
    ${children(state)}
  </form>`;
}

/**
 * The button that sends a form.
 * @param {{isBusy: boolean, children?: any, class?: string}} props
 */
export function Submit({ isBusy, children, class: more = "primary" }) {
  return html`<button type="submit" class=${`button ${more}`} aria-disabled=${isBusy ? "true" : undefined}>
    ${isBusy && html`<span class="spinner" aria-hidden="true"></span>`}${children}
  </button>`;
}

// Small things --------------------------------------------------------------------------------------------------

/**
 * Five stars.
 * @param {{rating: number | null, reviews?: number}} props
 */
export function Stars({ rating, reviews }) {
  if (rating === null || rating === undefined) return html`<span class="stars">No reviews yet</span>`;
  const spoken = `Rated ${rating} of 5${reviews === undefined ? "" : ` by ${count(reviews)}`}`;
  return html`<span class="stars">
    <span class="row" aria-hidden="true">★★★★★<span style=${{ inlineSize: `${rating * 20}%` }}>★★★★★</span></span>
    <span class="hidden">${spoken}</span>
    <span aria-hidden="true" class="number">${rating}${reviews === undefined ? "" : ` (${count(reviews)})`}</span>
  </span>`;
}

/**
 * A place that is kept for what is not there yet.
 * @param {{w?: string, h?: string}} props
 */
export function Skeleton({ w = "100%", h = "1em" }) {
  return html`<span class="skeleton" style=${{ inlineSize: w, blockSize: h }} aria-hidden="true"></span>`;
}

/**
 * Numbers of pages; gaps where there are many.
 * @param {{page: number, pages: number, href: (page: number) => string}} props
 */
export function Pager({ page, pages, href }) {
  if (pages < 2) return null;
  const near = [1, page - 1, page, page + 1, pages].filter((number) => number >= 1 && number <= pages);
  const numbers = [...new Set(near)].sort((a, b) => a - b);
  return html`<nav class="pager" aria-label="Pages">
    ${page > 1 && html`<a href=${href(page - 1)} rel="prev" aria-label="Previous page"><${Icon} name="left" class="small" /></a>`}
    ${numbers.map(
      (number, at) => html`${at > 0 && number - numbers[at - 1] > 1 && html`<span class="gap" aria-hidden="true">…</span>`}
        <a key=${number} href=${href(number)} aria-label=${`Page ${number}`} aria-current=${number === page ? "page" : undefined}>${number}</a>`,
    )}
    ${page < pages && html`<a href=${href(page + 1)} rel="next" aria-label="Next page"><${Icon} name="right" class="small" /></a>`}
  </nav>`;
}
