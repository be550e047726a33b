/**
 * One discount: its terms, when it holds, and which products it is linked to.
 */

import { html, useState } from "../shared/html.js";
import { settings } from "../shared/settings.js";
import { Icon } from "../shared/icons.js";
import { Dialog, Field, Form, Submit, toast } from "../shared/ui.js";
import { write } from "./catalog.js";
import { Linked } from "./linked.js";
import { attempt, confirmed } from "./parts.js";

const FIELDS = ["code", "description", "discount_type", "discount_value", "minimum_purchase", "maximum_discount", "start_date", "end_date", "usage_limit", "usage_limit_per_user"];

/** An instant as `datetime-local` wants it, in the browser's own time. */
function local(instant) {
  if (!instant) return "";
  const at = new Date(instant);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** The inverse; an instant that was not touched keeps its seconds. */
const instant = (text, was) => (text === "" ? null : text === local(was) ? was : new Date(text).toISOString());
const number = (text) => (text.trim() === "" ? null : /^\d+$/.test(text.trim()) ? Number(text) : text);
const amount = (text) => (text.trim() === "" ? null : text.trim());

/** @param {{discount: object, onClose: () => void, onDone: () => void}} props `discount`: `{}` for a new one */
export function DiscountForm({ discount, onClose, onDone }) {
  const isNew = discount.id === undefined;
  const [kind, setKind] = useState(discount.discount_type ?? "percentage");
  const [isAutomatic, setAutomatic] = useState(discount.activation === "automatic");
  const [isActive, setActive] = useState(discount.is_active ?? true);
  const [products, setProducts] = useState(discount.product_ids ?? []);
  const send = async (values) => {
    const body = {
      code: values.code,
      description: values.description,
      discount_type: kind,
      discount_value: values.discount_value.trim(),
      minimum_purchase: amount(values.minimum_purchase),
      maximum_discount: amount(values.maximum_discount),
      start_date: instant(values.start_date, discount.start_date),
      end_date: instant(values.end_date, discount.end_date),
      is_active: isActive,
      activation: isAutomatic ? "automatic" : "code",
      usage_limit: isAutomatic ? null : number(values.usage_limit),
      usage_limit_per_user: isAutomatic ? null : number(values.usage_limit_per_user),
      product_ids: products,
    };
    if (body.start_date === null) delete body.start_date;
    await write(isNew ? "POST" : "PATCH", isNew ? "/api/discount/" : `/api/discount/${discount.id}/`, body);
    toast(`${values.code} is saved.`);
    onDone();
  };
  const remove = async () => {
    if (!(await confirmed({ title: `Delete ${discount.code}?`, text: "Orders that used it keep what it took off.", yes: "Delete", danger: true }))) return;
    if (await attempt(() => write("DELETE", `/api/discount/${discount.id}/`), `${discount.code} is deleted.`)) onDone();
  };
  return html`<${Dialog} title=${isNew ? "New discount" : discount.code} kind="roomy" onClose=${onClose}>
    <${Form} onSend=${send} shown=${FIELDS}>${({ problem, isBusy }) => html`
      <div class="pair">
        <${Field} label="Code" name="code" defaultValue=${discount.code ?? ""} required maxlength="64" autocomplete="off" hint=${isAutomatic ? "Its name" : "What is given on the cart; case does not matter"} fault=${problem?.of("code")} />
        <${Field} label="Kind" name="activation" as="select" value=${isAutomatic ? "automatic" : "code"} onChange=${(event) => setAutomatic(event.target.value === "automatic")} fault=${problem?.of("activation")}>
          <option value="code">Code, given on the cart</option><option value="automatic">Automatic, on linked products</option><//>
      </div>
      <${Field} label="Description" name="description" defaultValue=${discount.description ?? ""} fault=${problem?.of("description")} />
      <div class="pair">
        <${Field} label="Takes off" name="discount_type" as="select" value=${kind} onChange=${(event) => setKind(event.target.value)} fault=${problem?.of("discount_type")}>
          <option value="percentage">Per cent</option><option value="fixed">An amount</option><//>
        <${Field} label=${kind === "percentage" ? "Per cent" : `Amount (${settings.currency})`} name="discount_value" inputmode="decimal" required defaultValue=${discount.discount_value ?? ""} fault=${problem?.of("discount_value")} />
      </div>
      <div class="pair">
        <${Field} label="Begins" name="start_date" type="datetime-local" defaultValue=${local(discount.start_date)} hint="Empty: now" fault=${problem?.of("start_date")} />
        <${Field} label="Ends" name="end_date" type="datetime-local" defaultValue=${local(discount.end_date)} hint="Empty: never" fault=${problem?.of("end_date")} />
      </div>
      <div class="pair">
        <${Field} label="Least purchase" name="minimum_purchase" inputmode="decimal" defaultValue=${discount.minimum_purchase ?? ""} fault=${problem?.of("minimum_purchase")} />
        <${Field} label="Takes off at most" name="maximum_discount" inputmode="decimal" defaultValue=${discount.maximum_discount ?? ""} fault=${problem?.of("maximum_discount")} />
      </div>
      ${!isAutomatic && html`<div class="pair">
        <${Field} label="Uses in all" name="usage_limit" inputmode="numeric" defaultValue=${discount.usage_limit ?? ""} hint="Empty: no limit" fault=${problem?.of("usage_limit")} />
        <${Field} label="Uses of one customer" name="usage_limit_per_user" inputmode="numeric" defaultValue=${discount.usage_limit_per_user ?? ""} hint="Empty: no limit" fault=${problem?.of("usage_limit_per_user")} />
      </div>`}
      <${Linked} ids=${products} onChange=${setProducts} isNeeded=${isAutomatic} />
      <label class="check switch"><input type="checkbox" role="switch" checked=${isActive} onChange=${(event) => setActive(event.target.checked)} />It holds between these dates</label>
      <div class="actions end">${!isNew && html`<button type="button" class="button danger push" onClick=${remove}><${Icon} name="trash" class="small" />Delete</button>`}
        <button type="button" class="button" onClick=${onClose}>Not now</button><${Submit} isBusy=${isBusy}>Save<//></div>
    `}<//>
  <//>`;
}
