/**
 * An order: what it is made of, what has happened to it, and what may happen next.
 */

import { html, useEffect, useState } from "../shared/html.js";
import { api, newKey, useAnswer } from "../shared/api.js";
import { money, word } from "../shared/format.js";
import { Icon } from "../shared/icons.js";
import { Dialog, Field, Form, Skeleton, Submit, Trouble, toast } from "../shared/ui.js";
import { Badge, Facts, Part, Sheet, When, attempt, confirmed } from "./parts.js";

/** How often a refund that is under way is looked at, milliseconds. */
const LOOK = 2500;
const METHODS = { mpesa: "M-Pesa" };

const BACK = { href: "/admin/orders", label: "Orders" };

/** @param {{id: string, who: object}} props */
export function Order({ id, who }) {
  const { data: order, problem, reload } = useAnswer(`/api/order/${id}/`, { fresh: true });
  const isAdmin = who.role === "admin";
  if (problem && !order) return html`<${Sheet} title=${`Order ${id}`} back=${BACK}><${Trouble} problem=${problem} onRetry=${reload} /><//>`;
  if (!order) return html`<${Sheet} title="Order" back=${BACK}><${Skeleton} h="20rem" /><//>`;
  return html`<${Sheet} title=${`Order ${order.order_number}`} back=${BACK}
      lead=${html`<${Badge} code=${order.status} /> <${Badge} code=${order.payment_status} /> placed <${When} at=${order.order_date} />`}
      actions=${isAdmin && html`<${Cancel} order=${order} onDone=${reload} />`}>
    <div class="two-thirds">
      <div class="stack">
        <${Lines} order=${order} isWhole=${isAdmin} />
        ${isAdmin && html`<${Parcels} order=${order} onDone=${reload} />`}
      </div>
      <div class="stack">
        ${isAdmin && html`<${Payment} order=${order} onDone=${reload} />`}
        <${Address} order=${order} isAdmin=${isAdmin} />
        <${Timeline} events=${order.timeline} />
      </div>
    </div>
  <//>`;
}

function Cancel({ order, onDone }) {
  if (!["pending", "confirmed"].includes(order.status)) return null;
  const cancel = async () => {
    const text = order.payment_status === "paid" ? "The stock goes back, and so does what was paid." : "The stock goes back.";
    if (!(await confirmed({ title: `Cancel order ${order.order_number}?`, text, yes: "Cancel the order", danger: true }))) return;
    if (await attempt(() => api.post(`/api/order/${order.id}/cancel/`), "The order is cancelled.")) onDone();
  };
  return html`<button type="button" class="button danger" onClick=${cancel}>Cancel the order</button>`;
}

function Lines({ order, isWhole }) {
  const say = (amount) => money(amount, order.currency);
  return html`<${Part} title="Items">
    <div class="table-box flush" role="region" aria-label="Table of items" tabindex="0"><table class="table dense">
      <thead><tr><th scope="col">Product</th><th scope="col" class="right roomy">Price</th><th scope="col" class="right">Pieces</th><th scope="col" class="right">Sum</th></tr></thead>
      <tbody>${order.items.map((item) => html`<tr key=${item.id}>
        <td><a class="plain strong" href=${`/admin/products/${item.product_id}`}>${item.product_name}</a><span class="under">${item.variant_name} · ${item.sku}</span></td>
        <td class="right roomy">${say(item.price)}</td><td class="right">${item.quantity}</td><td class="right">${say(item.subtotal)}</td></tr>`)}</tbody>
    </table></div>
    ${isWhole && html`<div class="totals"><${Facts} rows=${[
      ["Subtotal", say(order.subtotal)],
      ...(order.discount_code ? [[`Discount (${order.discount_code})`, `−${say(order.discount_total)}`]] : []),
      ["Total", html`<strong>${say(order.total_amount)}</strong>`],
    ]} /></div>`}
  <//>`;
}

// Parcels -------------------------------------------------------------------------------------------------------

/** What may be said next of a parcel. */
const NEXT = { pending: ["shipped", "in_transit", "delivered"], shipped: ["in_transit", "delivered", "returned"], in_transit: ["delivered", "returned"], delivered: ["returned"], returned: [] };

function Parcels({ order, onDone }) {
  const [isMaking, setMaking] = useState(false);
  const mayShip = ["confirmed", "shipped"].includes(order.status) && (order.payment_method === "cash_on_delivery" || ["paid", "partially_refunded"].includes(order.payment_status));
  const move = async (parcel, status) => {
    if (await attempt(() => api.patch(`/api/shipments/${order.id}/${parcel.id}/`, { status }), `The parcel is ${word(status).toLowerCase()}.`)) onDone();
  };
  const done = () => {
    setMaking(false);
    onDone();
  };
  return html`<${Part} title="Shipments" actions=${mayShip && html`<button type="button" class="button primary" onClick=${() => setMaking(true)}><${Icon} name="truck" class="small" />Ship</button>`}>
    ${order.shipments.length === 0 && html`<p class="muted">${mayShip ? "Nothing has been sent yet." : order.status === "pending" ? "It ships once it is paid." : "Nothing was sent."}</p>`}
    <ul class="rows">${order.shipments.map((parcel) => html`<li key=${parcel.id}>
      <${Icon} name="box" />
      <div class="row-text"><strong>${parcel.carrier || "Own delivery"} ${parcel.tracking_number && html`<code>${parcel.tracking_number}</code>`}</strong>
        <span class="fine">${parcel.delivered_at ? html`delivered <${When} at=${parcel.delivered_at} />` : parcel.shipped_at ? html`shipped <${When} at=${parcel.shipped_at} />` : "not sent yet"}</span></div>
      <${Badge} code=${parcel.status} />
      ${NEXT[parcel.status].length > 0 && html`<label><span class="hidden">What has become of the parcel ${parcel.tracking_number}</span>
        <select class="input small" value="" onChange=${(event) => event.target.value && move(parcel, event.target.value)}>
          <option value="">Mark as…</option>${NEXT[parcel.status].map((status) => html`<option key=${status} value=${status}>${word(status)}</option>`)}
        </select></label>`}
    </li>`)}</ul>
    ${isMaking && html`<${NewParcel} order=${order} onClose=${() => setMaking(false)} onDone=${done} />`}
  <//>`;
}

function NewParcel({ order, onClose, onDone }) {
  const send = async ({ carrier, tracking_number }) => {
    await api.post(`/api/shipments/${order.id}/`, { carrier, tracking_number, status: "shipped" });
    toast(`Order ${order.order_number} is on its way.`);
    onDone();
  };
  return html`<${Dialog} title=${`Ship order ${order.order_number}`} onClose=${onClose}>
    <${Form} onSend=${send} shown=${["carrier", "tracking_number"]}>${({ problem, isBusy }) => html`
      <${Field} label="Carrier" name="carrier" autocomplete="off" hint="Empty for your own delivery" fault=${problem?.of("carrier")} />
      <${Field} label="Tracking number" name="tracking_number" autocomplete="off" fault=${problem?.of("tracking_number")} />
      <div class="actions end"><button type="button" class="button" onClick=${onClose}>Not now</button><${Submit} isBusy=${isBusy}>Mark as shipped<//></div>
    `}<//>
  <//>`;
}

// Payment -------------------------------------------------------------------------------------------------------

function Payment({ order, onDone }) {
  const { data, problem, reload } = useAnswer(`/api/payment/${order.id}/status/`, { fresh: true });
  const [isRefunding, setRefunding] = useState(false);
  const mayRefund = ["paid", "partially_refunded"].includes(order.payment_status) && order.payment_method !== "cash_on_delivery";
  const done = () => {
    setRefunding(false);
    reload();
    onDone();
  };
  // A gateway may take its time over a refund; the page looks until it is told.
  const isOpen = data?.refunds.some(({ status }) => ["pending", "processing"].includes(status)) ?? false;
  useEffect(() => {
    if (!isOpen) return undefined;
    const timer = setTimeout(() => {
      reload();
      onDone();
    }, LOOK);
    return () => clearTimeout(timer);
  }, [isOpen, data]);
  const attemptMade = data?.payment;
  const rows = [
    ["Method", METHODS[order.payment_method] ?? word(order.payment_method)],
    ["State", html`<${Badge} code=${order.payment_status} />`],
    ...(attemptMade ? [
      ["Latest attempt", html`<${Badge} code=${attemptMade.payment_status} />`],
      ["Amount", money(attemptMade.amount, attemptMade.currency)],
      ["Paid", html`<${When} at=${attemptMade.paid_at} />`],
      ["Transaction", attemptMade.transaction_id ? html`<code class="wrap">${attemptMade.transaction_id}</code>` : "–"],
    ] : []),
    ...(attemptMade?.result_description ? [["Gateway", attemptMade.result_description]] : []),
  ];
  return html`<${Part} title="Payment" actions=${mayRefund && html`<button type="button" class="button small" onClick=${() => setRefunding(true)}>Refund</button>`}>
    ${problem && problem.status !== 404 && html`<p class="note bad" role="alert">${problem.message}</p>`}
    <${Facts} rows=${rows} />
    ${data?.refunds.length > 0 && html`<h3 class="minor">Refunds</h3><ul class="rows">${data.refunds.map((refund) => html`<li key=${refund.id}>
      <div class="row-text"><strong class="number">${money(refund.amount, order.currency)}</strong><span class="fine"><${When} at=${refund.created_at} />${refund.reason && ` · ${word(refund.reason)}`}</span></div><${Badge} code=${refund.status} /></li>`)}</ul>`}
    ${isRefunding && html`<${NewRefund} order=${order} onClose=${() => setRefunding(false)} onDone=${done} />`}
  <//>`;
}

function NewRefund({ order, onClose, onDone }) {
  // One key for the dialog: sent twice, it is one refund.
  const [key] = useState(newKey);
  const send = async ({ amount }) => {
    const body = amount.trim() === "" ? {} : { amount: amount.trim() };
    const refund = await api.post(`/api/payment/${order.id}/refund/`, body, { headers: { "idempotency-key": key } });
    toast(`${money(refund.amount, refund.currency)} go back: ${word(refund.status).toLowerCase()}.`);
    onDone();
  };
  return html`<${Dialog} title=${`Refund order ${order.order_number}`} onClose=${onClose}>
    <${Form} onSend=${send} shown=${["amount"]}>${({ problem, isBusy }) => html`
      <${Field} label=${`Amount (${order.currency})`} name="amount" inputmode="decimal" autocomplete="off" placeholder=${order.total_amount}
        hint="Empty: everything that has not gone back yet" fault=${problem?.of("amount")} />
      <div class="actions end"><button type="button" class="button" onClick=${onClose}>Not now</button><${Submit} isBusy=${isBusy} class="danger">Refund<//></div>
    `}<//>
  <//>`;
}

// What it is about ----------------------------------------------------------------------------------------------

function Address({ order, isAdmin }) {
  const to = order.shipping_address;
  if (!to) return null;
  return html`<${Part} title="Ship to" actions=${isAdmin && html`<a class="fine" href=${`/admin/users/${order.user_id}`}>Customer #${order.user_id}</a>`}>
    <address>${[to.street, [to.postal_code, to.city].filter(Boolean).join(" "), to.region, to.country].filter(Boolean).map((line) => html`<span key=${line}>${line}</span>`)}</address>
  <//>`;
}

function Timeline({ events }) {
  return html`<${Part} title="Timeline">
    <ol class="timeline">${[...events].reverse().map((event, at) => html`<li key=${at}><strong>${word(event.event.replaceAll("-", " "))}</strong>${event.detail && html`<span>${event.detail}</span>`}<span class="fine"><${When} at=${event.at} /></span></li>`)}</ol>
  <//>`;
}
