/**
 * Orders: all of one's own, and one of them with its payment, its parcels and what happened to it.
 */

import { html, useState } from "../shared/html.js";
import { api, useAnswer } from "../shared/api.js";
import { day, moment, money, plural, word } from "../shared/format.js";
import { Icon } from "../shared/icons.js";
import { Problem } from "../shared/problem.js";
import { useAddress, useSettled, useTitle } from "../shared/router.js";
import { Dialog, Pager, Skeleton, Trouble, toast } from "../shared/ui.js";
import { said } from "./addresses.js";
import { Drawing } from "./art.js";
import { productHref } from "./card.js";
import { Totals } from "./cart.js";
import { Pay } from "./pay.js";

const PAGE_SIZE = 12;

/** How a state is shown. */
const KINDS = {
  pending: "warn", confirmed: "accent", shipped: "accent", in_transit: "accent", delivered: "good", cancelled: "bad",
  returned: "bad", paid: "good", failed: "bad", refunded: "", partially_refunded: "",
};

/** What a payment's state is called, so that it is not mistaken for the order's. */
const PAYMENTS = { pending: "Not paid yet", paid: "Paid", failed: "Payment failed", refunded: "Refunded", partially_refunded: "Partly refunded" };

/** What happened, in words. */
const EVENTS = {
  placed: "Order placed", confirmed: "Order confirmed", paid: "Payment received", shipped: "Shipped", in_transit: "On its way",
  delivered: "Delivered", cancelled: "Cancelled", expired: "Cancelled: it was not paid in time", refunded: "Refunded",
};

const State = ({ of }) => html`<span class=${`badge ${KINDS[of] ?? ""}`}>${word(of)}</span>`;
const Paid = ({ of }) => html`<span class=${`badge ${KINDS[of] ?? ""}`}>${PAYMENTS[of] ?? word(of)}</span>`;

export function Orders() {
  useTitle("Your orders");
  const page = Number(useAddress().searchParams.get("page") ?? 1);
  const { data, problem, reload } = useAnswer(`/api/order/?page=${page}&page_size=${PAGE_SIZE}`, { fresh: true });
  useSettled(Boolean(data));
  if (problem && !data) return html`<${Trouble} isPage=${true} problem=${problem} onRetry=${reload} />`;
  return html`<div class="narrow-head"><h1>Your orders</h1></div>
    ${data?.count === 0 && html`<div class="empty"><${Icon} name="box" /><h2>None yet</h2><p>What you order is kept here, with where it is.</p><a class="button primary" href="/search">Browse products</a></div>`}
    <ul class="orders">
      ${data
        ? data.results.map(
            (order) => html`<li key=${order.id}><a class="order panel" href=${`/orders/${order.id}`}>
              <span class="order-number"><strong>${order.order_number}</strong><span class="fine">${day(order.order_date)}</span></span>
              <span class="order-what">${order.items.map((item) => item.product_name).join(", ")}<span class="fine">${plural(order.items.length, "item")}</span></span>
              <span class="order-state"><${State} of=${order.status} /><${Paid} of=${order.payment_status} /></span>
              <strong class="number order-total">${money(order.total_amount, order.currency)}</strong>
            </a></li>`,
          )
        : Array.from({ length: 4 }, (_, at) => html`<li key=${`coming-${at}`} class="panel"><${Skeleton} h="2.5rem" /></li>`)}
    </ul>
    ${data && html`<${Pager} page=${page} pages=${Math.ceil(data.count / PAGE_SIZE)} href=${(to) => (to > 1 ? `/orders?page=${to}` : "/orders")} />`}`;
}

/** @param {{id: string}} props */
export function Order({ id }) {
  const { data: order, problem, reload } = useAnswer(`/api/order/${encodeURIComponent(id)}/`, { fresh: true });
  useTitle(order ? `Order ${order.order_number}` : "Order");
  useSettled(Boolean(order));
  if (problem && !order) return html`<${Trouble} isPage=${true} problem=${problem} onRetry=${reload} />`;
  if (!order) return html`<div class="narrow-head"><h1>Order</h1></div><${Skeleton} h="20rem" />`;
  const isOpen = order.status === "pending" && order.payment_status !== "paid" && order.payment_method !== "cash_on_delivery";
  return html`
    <nav class="trail" aria-label="Where it stands"><ol class="trail-list"><li><a href="/orders">Your orders</a></li><li aria-current="page">${order.order_number}</li></ol></nav>
    <div class="order-head">
      <h1>Order ${order.order_number}</h1>
      <span class="order-state"><${State} of=${order.status} /><${Paid} of=${order.payment_status} /></span>
      ${order.status === "pending" && html`<${Cancel} order=${order} onDone=${reload} />`}
    </div>
    <div class="checkout">
      <div class="checkout-main">
        ${isOpen &&
        html`<section class="panel pay" aria-labelledby="pay-heading">
          <h2 id="pay-heading">Pay ${money(order.total_amount, order.currency)}</h2>
          ${order.expires_at && html`<p class="fine">Your items are reserved until ${moment(order.expires_at)}.</p>`}
          <${Pay} order=${order} onChange=${reload} />
        </section>`}
        ${order.payment_status === "paid" && order.status === "confirmed" && html`<div class="note good" role="status"><${Icon} name="check" /><span><strong>Thank you, it is paid.</strong> The shop gets it ready now.</span></div>`}
        <${Parcels} parcels=${order.shipments} />
        <section class="panel" aria-labelledby="timeline-heading">
          <h2 id="timeline-heading">Timeline</h2>
          <ol class="timeline">
            ${[...order.timeline].reverse().map(
              (event, at) => html`<li key=${at}><strong>${EVENTS[event.event] ?? word(event.event)}</strong>${event.detail && html`<span class="fine">${event.detail}</span>`}<time class="fine" datetime=${event.at}>${moment(event.at)}</time></li>`,
            )}
          </ol>
        </section>
      </div>
      <aside class="panel checkout-sum" aria-labelledby="items-heading">
        <h2 id="items-heading">Items</h2>
        <ul class="lines">
          ${order.items.map(
            (item) => html`<li key=${item.id}><div class="line">
              <span class="line-picture"><${Drawing} texts=${[item.product_name]} seed=${item.product_id} /></span>
              <div class="line-words"><a href=${productHref({ id: item.product_id })}>${item.product_name}</a>${item.variant_name !== "Default" && html`<p class="fine">${item.variant_name}</p>`}<p class="fine number">${item.quantity} × ${money(item.price, order.currency)}</p></div>
              <p class="line-price number">${money(item.subtotal, order.currency)}</p>
            </div></li>`,
          )}
        </ul>
        <${Totals} of=${order} total=${order.total_amount} currency=${order.currency} />
        <h3>Delivered to</h3>
        <p class="muted">${said(order.shipping_address)}</p>
      </aside>
    </div>`;
}

function Parcels({ parcels }) {
  if (parcels.length === 0) return null;
  return html`<section class="panel" aria-labelledby="parcels-heading">
    <h2 id="parcels-heading">${plural(parcels.length, "parcel")}</h2>
    <ul class="parcels">
      ${parcels.map(
        (parcel) => html`<li key=${parcel.id}>
          <${Icon} name="truck" />
          <span><strong>${parcel.carrier || "Carrier"}</strong>${parcel.tracking_number && html`<span class="fine">Tracking number <code>${parcel.tracking_number}</code></span>`}
            ${parcel.delivered_at ? html`<span class="fine">Delivered ${moment(parcel.delivered_at)}</span>` : parcel.shipped_at && html`<span class="fine">Left ${moment(parcel.shipped_at)}</span>`}</span>
          <${State} of=${parcel.status} />
        </li>`,
      )}
    </ul>
  </section>`;
}

function Cancel({ order, onDone }) {
  const [isAsked, setAsked] = useState(false);
  const cancel = async () => {
    try {
      await api.post(`/api/order/${order.id}/cancel/`);
      toast(`Order ${order.order_number} is cancelled.`);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      toast(problem.message);
    }
    setAsked(false);
    onDone();
  };
  return html`<button type="button" class="button small danger" onClick=${() => setAsked(true)}>Cancel the order</button>
    ${isAsked &&
    html`<${Dialog} title="Cancel this order?" onClose=${() => setAsked(false)}>
      <p class="muted">Its items go back into stock. This cannot be undone.</p>
      <div class="actions dialog-actions"><button type="button" class="button danger" onClick=${cancel}>Cancel the order</button><button type="button" class="button" onClick=${() => setAsked(false)}>Keep it</button></div>
    <//>`}`;
}
