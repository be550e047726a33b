/**
 * A product's variants: each is what is really sold, with a price and a stock of its own.
 */

import { html, useState } from "../shared/html.js";
import { count, money } from "../shared/format.js";
import { Icon } from "../shared/icons.js";
import { Dialog, Field, Form, Submit, toast } from "../shared/ui.js";
import { Attributes, attributesOf, rowsOf } from "./attributes.js";
import { Picture, write } from "./catalog.js";
import { Part, attempt, confirmed } from "./parts.js";

const FIELDS = ["variant_name", "sku", "price", "stock", "image_url", "attributes"];
const number = (text) => (/^\d+$/.test(text.trim()) ? Number(text) : text);

/** @param {{product: object, onChange: () => void, isDirty: boolean}} props `isDirty`: the product has changes that are not saved */
export function Variants({ product, onChange, isDirty }) {
  const [edited, setEdited] = useState(null);
  const done = () => {
    setEdited(null);
    onChange();
  };
  const remove = async (variant) => {
    const question = { title: `Delete ${variant.variant_name}?`, text: "It can no longer be bought; orders keep their copies.", yes: "Delete", danger: true };
    if ((await confirmed(question)) && (await attempt(() => write("DELETE", `/api/variant/${variant.id}/`), "The variant is deleted."))) onChange();
  };
  const isLast = product.variants.length === 1;
  const add = html`<button type="button" class="button small" disabled=${isDirty} onClick=${() => setEdited({})}><${Icon} name="plus" class="small" />Add a variant</button>`;
  return html`<${Part} title="Variants" class="apart" actions=${add} lead=${isDirty ? "Save or undo the changes above first." : undefined}>
    <div class="table-box flush" role="region" aria-label="Table of variants" tabindex="0"><table class="table dense">
      <thead><tr><th scope="col">Variant</th><th scope="col" class="roomier">Attributes</th><th scope="col" class="right">Price</th><th scope="col" class="right">Stock</th><th scope="col"><span class="hidden">What can be done</span></th></tr></thead>
      <tbody>${product.variants.map((variant) => html`<tr key=${variant.id}>
        <td><div class="thing"><${Picture} url=${variant.image_url ?? product.image_url} /><div><span class="strong">${variant.variant_name}</span><span class="under">${variant.sku}</span></div></div></td>
        <td class="roomier">${Object.entries(variant.attributes).map(([name, value]) => `${name}: ${[value].flat().join(", ")}`).join(" · ") || html`<span class="muted">–</span>`}</td>
        <td class="right">${money(variant.effective_price)}${variant.effective_price !== variant.price && html`<span class="under"><s>${money(variant.price)}</s></span>`}</td>
        <td class="right"><span class=${variant.in_stock ? "" : "lacking"}>${count(variant.stock)}</span></td>
        <td class="row-actions"><button type="button" class="icon-button" disabled=${isDirty} aria-label=${`Change ${variant.variant_name}`} onClick=${() => setEdited(variant)}><${Icon} name="edit" class="small" /></button>
          <button type="button" class="icon-button" disabled=${isLast || isDirty} aria-label=${`Delete ${variant.variant_name}`} onClick=${() => remove(variant)}><${Icon} name="trash" class="small" /></button></td>
      </tr>`)}</tbody>
    </table></div>
    ${edited && html`<${VariantForm} product=${product} variant=${edited} onClose=${() => setEdited(null)} onDone=${done} />`}
  <//>`;
}

function VariantForm({ product, variant, onClose, onDone }) {
  const isNew = variant.id === undefined;
  const [rows, setRows] = useState(rowsOf(variant.attributes ?? {}));
  const send = async (values) => {
    const body = { variant_name: values.variant_name, sku: values.sku, stock: number(values.stock), attributes: attributesOf(rows) };
    if (values.price.trim() !== "") body.price = values.price.trim();
    if (values.image_url.trim() !== "") body.image_url = values.image_url.trim();
    else if (!isNew) body.image_url = null;
    if (isNew) await write("POST", "/api/variant/", { product_id: product.id, ...body });
    else await write("PATCH", `/api/variant/${variant.id}/`, body);
    toast(`${values.variant_name} is saved.`);
    onDone();
  };
  return html`<${Dialog} title=${isNew ? "Add a variant" : variant.variant_name} onClose=${onClose}>
    <${Form} onSend=${send} shown=${FIELDS}>${({ problem, isBusy }) => html`
      <${Field} label="Name" name="variant_name" defaultValue=${variant.variant_name ?? ""} required maxlength="120" placeholder="Large, red" fault=${problem?.of("variant_name")} />
      <${Field} label="SKU" name="sku" defaultValue=${variant.sku ?? ""} required maxlength="64" fault=${problem?.of("sku")} />
      <div class="pair">
        <${Field} label="Price" name="price" defaultValue=${variant.price ?? ""} inputmode="decimal" placeholder=${product.price} hint=${isNew ? "Empty: the product's" : undefined} fault=${problem?.of("price")} />
        <${Field} label="Stock" name="stock" defaultValue=${String(variant.stock ?? 0)} inputmode="numeric" fault=${problem?.of("stock")} />
      </div>
      <${Field} label="Image" name="image_url" type="url" defaultValue=${variant.image_url ?? ""} placeholder="https://" hint="Empty: the product's" fault=${problem?.of("image_url")} />
      <${Attributes} rows=${rows} onChange=${setRows} fault=${problem?.faults.find(({ pointer }) => pointer?.startsWith("/attributes"))?.detail} />
      <div class="actions end"><button type="button" class="button" onClick=${onClose}>Not now</button><${Submit} isBusy=${isBusy}>Save<//></div>
    `}<//>
  <//>`;
}
