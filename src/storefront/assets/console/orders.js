/**
 * Orders: found by what has become of them.
 */

import { html } from "../shared/html.js";
import { money, plural, word } from "../shared/format.js";
import { Listing, ROWS } from "./listing.js";
import { Badge, Sheet, When } from "./parts.js";
import { Choice, Typed, asked, usePlace } from "./place.js";

const choices = (codes) => codes.map((code) => [code, word(code)]);
const STATUSES = choices(["pending", "confirmed", "shipped", "delivered", "cancelled"]);
const PAYMENTS = choices(["pending", "paid", "failed", "refunded", "partially_refunded"]);

/** @param {{who: object}} props */
export function Orders({ who }) {
  const place = usePlace();
  const { params } = place;
  const isAdmin = who.role === "admin";
  const path = asked("/api/order/", {
    status: params.get("status"),
    payment_status: params.get("payment_status"),
    user_id: isAdmin ? params.get("user_id") : null,
    page: params.get("page"),
    page_size: ROWS,
  });
  const columns = [
    { head: "Order", cell: (order) => html`<a class="strong number" href=${`/admin/orders/${order.id}`}>${order.order_number}</a>` },
    { head: "Status", cell: (order) => html`<${Badge} code=${order.status} /><span class="only-narrow under">${word(order.payment_status)}</span>` },
    { head: "Payment", cell: (order) => html`<${Badge} code=${order.payment_status} />`, class: "roomy" },
    { head: "Placed", cell: (order) => html`<${When} at=${order.order_date} />`, class: "roomy" },
    { head: "Customer", cell: (order) => (isAdmin ? html`<a class="plain number" href=${`/admin/users/${order.user_id}`}>#${order.user_id}</a>` : `#${order.user_id}`), class: "roomier" },
    { head: "To", cell: (order) => [order.shipping_address?.city, order.shipping_address?.country].filter(Boolean).join(", "), class: "roomier" },
    { head: "Items", cell: (order) => plural(order.items.reduce((sum, { quantity }) => sum + quantity, 0), "piece"), class: "roomy right" },
    { head: "Total", cell: (order) => money(order.total_amount, order.currency), class: "right" },
  ];
  return html`<${Sheet} title="Orders" lead=${isAdmin ? "Newest first." : "Orders with products of yours; only those lines are shown."}>
    <div class="filters" role="search" aria-label="Filter orders">
      <${Choice} place=${place} name="status" label="Status" any="Any status" options=${STATUSES} />
      <${Choice} place=${place} name="payment_status" label="Payment" any="Any payment" options=${PAYMENTS} />
      ${isAdmin && html`<${Typed} place=${place} name="user_id" label="Customer's id" icon="user" type="text" inputmode="numeric" />`}
    </div>
    <${Listing} label="Orders" noun="order" path=${path} columns=${columns} place=${place} empty=${[...params].length === 0 && html`<p class="muted">Nobody has ordered yet.</p>`} />
  <//>`;
}
