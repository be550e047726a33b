/**
 * Discounts: when each holds, on one line of time, and what it takes off.
 */

import { html, useState } from "../shared/html.js";
import { useAnswer } from "../shared/api.js";
import { count, day, money, plural } from "../shared/format.js";
import { Icon } from "../shared/icons.js";
import { Pager, Skeleton, Trouble } from "../shared/ui.js";
import { DiscountForm } from "./discount.js";
import { ROWS } from "./listing.js";
import { Badge, Sheet } from "./parts.js";
import { Choice, Typed, asked, usePlace } from "./place.js";

const DAY = 86_400_000;
/** Days that are shown before today, and after. */
const [PAST, AHEAD] = [45, 75];
/** A month that begins so near today is not written beside it. */
const NEAR = 14 * DAY;

/** What a discount is now. */
function stateOf(discount, now) {
  if (!discount.is_active) return "off";
  if (new Date(discount.start_date) > now) return "scheduled";
  if (discount.end_date && new Date(discount.end_date) <= now) return "ended";
  return "active";
}

/** The page. */
export function Discounts() {
  const place = usePlace();
  const { params } = place;
  const path = asked("/api/discount/", { code: params.get("code"), is_active: params.get("is_active"), activation: params.get("activation"), page: params.get("page"), page_size: ROWS });
  const { data, problem, reload } = useAnswer(path, { fresh: true });
  const [edited, setEdited] = useState(null);
  const done = () => {
    setEdited(null);
    reload();
  };
  return html`<${Sheet} title="Discounts" lead="Automatic ones lower prices while they hold; codes are given on the cart."
      actions=${html`<button type="button" class="button primary" onClick=${() => setEdited({})}><${Icon} name="plus" class="small" />New discount</button>`}>
    <div class="filters" role="search" aria-label="Filter discounts">
      <${Typed} place=${place} name="code" label="Code, exactly" icon="tag" />
      <${Choice} place=${place} name="activation" label="Kind" any="Any kind" options=${[["automatic", "Automatic"], ["code", "Code"]]} />
      <${Choice} place=${place} name="is_active" label="State" any="On and off" options=${[["true", "On"], ["false", "Off"]]} />
    </div>
    ${problem && !data ? html`<${Trouble} problem=${problem} onRetry=${reload} />` : !data ? html`<${Skeleton} h="16rem" />` : data.results.length === 0
      ? html`<div class="panel blank"><p class="muted">${[...params].length > 0 ? "No discount matches." : "There is no discount yet."}</p></div>`
      : html`<${Timeline} discounts=${data.results} onOpen=${setEdited} />
        <div class="list-foot"><p class="fine">${plural(data.count, "discount")}</p>
          <${Pager} page=${Number(params.get("page") ?? 1)} pages=${Math.ceil(data.count / ROWS)} href=${(page) => place.href({ page: page === 1 ? null : page })} /></div>`}
    ${edited && html`<${DiscountForm} discount=${edited} onClose=${() => setEdited(null)} onDone=${done} />`}
  <//>`;
}

/** What it takes off, in words. */
function off(discount) {
  const value = discount.discount_type === "percentage" ? `${Number(discount.discount_value)} %` : money(discount.discount_value);
  return `${value} off`;
}

const months = new Intl.DateTimeFormat(undefined, { month: "short" });

function Timeline({ discounts, onOpen }) {
  const now = Date.now();
  const [from, to] = [now - PAST * DAY, now + AHEAD * DAY];
  const part = (at) => (Math.max(0, Math.min(1, (at - from) / (to - from))) * 100).toFixed(2);
  return html`<div class="panel schedule">
    <div class="schedule-row schedule-axis" aria-hidden="true"><span></span><div class="track">
      ${firsts(from, to).filter((at) => Math.abs(at - now) > NEAR).map((at) => html`<span key=${at} class="tick" style=${{ insetInlineStart: `${part(at)}%` }}>${months.format(at)}</span>`)}
      <span class="today" style=${{ insetInlineStart: `${part(now)}%` }}>today</span></div></div>
    <ul>${discounts.map((discount) => {
      const state = stateOf(discount, now);
      const begins = new Date(discount.start_date).getTime();
      const ends = discount.end_date ? new Date(discount.end_date).getTime() : Infinity;
      const [left, right] = [Number(part(begins)), Number(part(ends))];
      return html`<li key=${discount.id} class="schedule-row">
        <div class="schedule-name">
          <button type="button" class="link-button strong" onClick=${() => onOpen(discount)}>${discount.code}</button><${Badge} code=${state} />
          <span class="under">${off(discount)}, ${discount.activation === "automatic" ? "automatic" : `code, used ${count(discount.times_used)}${discount.usage_limit ? ` of ${count(discount.usage_limit)}` : ""}×`}${discount.product_ids.length > 0 && `, ${plural(discount.product_ids.length, "product")}`}</span>
          <span class="under number">${day(discount.start_date)} – ${discount.end_date ? day(discount.end_date) : "no end"}</span>
        </div>
        <div class="track" aria-hidden="true">
          ${firsts(from, to).map((at) => html`<span key=${at} class="rule-line" style=${{ insetInlineStart: `${part(at)}%` }}></span>`)}
          <span class="today-line" style=${{ insetInlineStart: `${part(now)}%` }}></span>
          ${begins < to && ends > from && html`<span class=${`bar ${state} ${begins < from ? "before" : ""} ${ends > to ? "beyond" : ""}`} style=${{ insetInlineStart: `${left}%`, inlineSize: `${Math.max(0.8, right - left)}%` }}></span>`}
          ${ends <= from && html`<span class="out start">‹ ended</span>`}${begins >= to && html`<span class="out end">later ›</span>`}
        </div>
      </li>`;
    })}</ul>
  </div>`;
}

/** The first of each month in between. */
function firsts(from, to) {
  const found = [];
  const at = new Date(from);
  at.setHours(0, 0, 0, 0);
  at.setDate(1);
  for (at.setMonth(at.getMonth() + 1); at.getTime() < to; at.setMonth(at.getMonth() + 1)) found.push(at.getTime());
  return found;
}
