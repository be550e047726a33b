/**
 * Paying an order: an attempt is made at the shop, confirmed by card at the gateway or by PIN on the phone, and watched
 * until it has come to its end. One that fails is said, and another one can be made.
 */

import { html, useEffect, useRef, useState } from "../shared/html.js";
import { api, newKey } from "../shared/api.js";
import { money } from "../shared/format.js";
import { Icon } from "../shared/icons.js";
import { Problem } from "../shared/problem.js";
import { settings } from "../shared/settings.js";
import { Field, Form, Submit, announce } from "../shared/ui.js";
import { Choices, METHODS } from "./checkout.js";

/** How often the shop is asked how it stands, milliseconds. */
const LOOK = 800;
/** States in which nothing is decided. */
const LIVE = ["pending", "processing", "unknown"];
/** Whether the gateway is a sandbox, where hints about its numbers help. */
const isSandbox = settings.card?.key.startsWith("pk_test_") ?? false;

/**
 * @param {{order: object, onChange: () => void}} props `onChange`: the order stands otherwise now
 */
export function Pay({ order, onChange }) {
  const offered = METHODS.filter(({ name }) => name !== "cash_on_delivery");
  const [method, setMethod] = useState(() => (offered.some(({ name }) => name === order.payment_method) ? order.payment_method : offered[0]?.name));
  const [state, setState] = useState(null);
  const [isAway, setAway] = useState(() => sessionStorage.getItem(key(order)) !== null);
  const [refusal, setRefusal] = useState(null);
  const attempt = state?.payment;
  const isLive = LIVE.includes(attempt?.payment_status);
  // A card that nobody has confirmed yet waits for its form and not for the gateway.
  const waits = isLive && (attempt.payment_method === "mpesa" || isAway || !attempt.client_secret);

  const look = async () => {
    try {
      const now = await api.get(`/api/payment/${order.id}/status/`);
      setState(now);
      if (!LIVE.includes(now.payment?.payment_status)) left(order, setAway);
      if (now.payment_status !== order.payment_status) {
        announce(now.payment_status === "paid" ? "The payment has arrived" : "The payment has come to an end");
        onChange();
      }
    } catch (problem) {
      // It is looked again.
      if (!(problem instanceof Problem)) throw problem;
    }
  };
  useEffect(() => void look(), []);
  useEffect(() => {
    if (!waits) return undefined;
    const timer = setInterval(look, LOOK);
    return () => clearInterval(timer);
  }, [waits]);

  const sent = () => {
    sessionStorage.setItem(key(order), "sent");
    setRefusal(null);
    setAway(true);
    return look();
  };
  const declined = async (message) => {
    left(order, setAway);
    setRefusal(message);
    // The gateway tells the shop as well; a moment later the attempt is over there too.
    await look();
  };
  if (offered.length === 0) return html`<p class="note">The shop cannot be paid online at the moment.</p>`;
  if (state === null) return html`<div class="pay-coming" aria-hidden="true"></div>`;
  if (waits) return html`<${Waiting} attempt=${attempt} order=${order} />`;
  const failed = refusal ?? (["failed", "cancelled"].includes(attempt?.payment_status) ? (attempt.result_description ?? "It was not paid.") : null);
  return html`
    ${failed && html`<div class="note bad" role="alert"><${Icon} name="alert" /><span><strong>The payment was declined.</strong> ${failed} Nothing was charged; you can try again or pay otherwise.</span></div>`}
    ${offered.length > 1 && html`<${Choices} name="pay" legend="Way of paying" value=${method} onChoose=${setMethod} choices=${offered.map((one) => ({ value: one.name, icon: one.icon, label: one.label }))} />`}
    ${method === "card"
      ? html`<${CardForm} order=${order} onSent=${sent} onDeclined=${declined} />`
      : html`<${PhoneForm} order=${order} onSent=${sent} />`}
  `;
}

const key = (order) => `duka.pay.${order.id}`;

function left(order, setAway) {
  sessionStorage.removeItem(key(order));
  setAway(false);
}

/** Something is under way. */
function Waiting({ attempt, order }) {
  const isPhone = attempt.payment_method === "mpesa";
  return html`<div class="waiting" role="status">
    <span class="spinner" aria-hidden="true"></span>
    <div>
      <strong>${isPhone ? "Look at your phone" : "The payment is under way"}</strong>
      <p class="fine">${isPhone ? `${attempt.phone_number} was asked for the PIN to pay ${money(attempt.amount, attempt.currency)}.` : `${money(order.total_amount, order.currency)} by card. This page says as soon as it has arrived.`}</p>
    </div>
  </div>`;
}

/** Makes an attempt; finds the one that is live, where there is one. */
async function attempt(order, body, key) {
  try {
    return await api.post("/api/payment/initiate/", { order_id: order.id, ...body }, { headers: { "idempotency-key": key } });
  } catch (problem) {
    if (!(problem instanceof Problem) || problem.slug !== "payment-in-progress") throw problem;
    const { payment } = await api.get(`/api/payment/${order.id}/status/`);
    if (payment?.payment_method === body.payment_method && payment.client_secret) return payment;
    throw problem;
  }
}

/** A key for each attempt: a new one once there was an answer. */
function useKey() {
  const kept = useRef(null);
  return {
    get: () => (kept.current ??= newKey()),
    spent: () => (kept.current = null),
  };
}

function CardForm({ order, onSent, onDeclined }) {
  const once = useKey();
  const send = async (values) => {
    const made = await attempt(order, { payment_method: "card" }, once.get());
    once.spent();
    const answer = await confirm(made, values, `${location.origin}/orders/${order.id}`);
    if (answer.error) return onDeclined(answer.error);
    if (answer.leadsTo) {
      await onSent();
      location.assign(answer.leadsTo);
      return undefined;
    }
    return onSent();
  };
  return html`<${Form} onSend=${send} class="form card-form">
    ${({ isBusy }) => html`
      <${Field} label="Card number" name="number" inputmode="numeric" autocomplete="cc-number" placeholder="1234 1234 1234 1234" required maxlength="23" onInput=${grouped} />
      <div class="pair">
        <${Field} label="Expires" name="expiry" inputmode="numeric" autocomplete="cc-exp" placeholder="MM / YY" required maxlength="7" />
        <${Field} label="Security code" name="cvc" inputmode="numeric" autocomplete="cc-csc" placeholder="123" required maxlength="4" />
      </div>
      ${isSandbox && html`<p class="fine">This is a sandbox, no money moves: <code>4242 4242 4242 4242</code> is paid, <code>4000 0000 0000 0002</code> is declined, <code>4000 0000 0000 3184</code> asks its holder. Any date ahead and any code will do.</p>`}
      <${Submit} isBusy=${isBusy} class="primary wide">Pay ${money(order.total_amount, order.currency)}<//>
    `}
  <//>`;
}

/** Digits in fours, as they stand on cards. */
function grouped(event) {
  const field = event.target;
  if (field.selectionStart !== field.value.length) return;
  field.value = field.value.replace(/\D/g, "").slice(0, 19).replace(/(.{4})(?=.)/g, "$1 ");
}

/**
 * Confirms the card at the gateway; the shop sees nothing of it.
 * @returns {Promise<{error?: string, leadsTo?: string}>}
 */
async function confirm(attempt, { number, expiry, cvc }, back) {
  const [month, year] = expiry.split("/").map((part) => part.trim());
  const form = new URLSearchParams({
    client_secret: attempt.client_secret,
    return_url: back,
    "payment_method_data[type]": "card",
    "payment_method_data[card][number]": number.replace(/\D/g, ""),
    "payment_method_data[card][exp_month]": month ?? "",
    "payment_method_data[card][exp_year]": year?.length === 2 ? `20${year}` : (year ?? ""),
    "payment_method_data[card][cvc]": cvc,
  });
  const url = `${settings.card.gateway}/v1/payment_intents/${encodeURIComponent(attempt.transaction_id)}/confirm`;
  let response;
  try {
    response = await fetch(url, { method: "POST", body: form, headers: { authorization: `Bearer ${settings.card.key}` } });
  } catch {
    throw new Problem(0, { title: "The card gateway cannot be reached. Nothing was charged; try again." });
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) return { error: answer.error?.message ?? "The gateway refused the card." };
  return { leadsTo: answer.next_action?.redirect_to_url?.url };
}

function PhoneForm({ order, onSent }) {
  const once = useKey();
  const send = async ({ phone_number }) => {
    await attempt(order, { payment_method: "mpesa", phone_number }, once.get());
    once.spent();
    await onSent();
  };
  return html`<${Form} onSend=${send} shown=${["phone_number"]}>
    ${({ problem, isBusy }) => html`
      <${Field} label="Phone number" name="phone_number" type="tel" autocomplete="tel" placeholder="0712 345 678" required fault=${problem?.of("phone_number")} />
      ${isSandbox && html`<p class="fine">This is a sandbox, no money moves: <code>0712345678</code> is paid after two seconds, a number that ends in <code>01</code> is short of funds, in <code>32</code> cancels.</p>`}
      <${Submit} isBusy=${isBusy} class="primary wide">Pay ${money(order.total_amount, order.currency)}<//>
    `}
  <//>`;
}
