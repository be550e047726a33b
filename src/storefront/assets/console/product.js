/**
 * A product: made, or changed. What is sent are the fields that were changed, and only if nobody else was faster.
 */

import { html, useEffect, useState } from "../shared/html.js";
import { request } from "../shared/api.js";
import { Icon } from "../shared/icons.js";
import { Problem } from "../shared/problem.js";
import { navigate } from "../shared/router.js";
import { Field, Form, Skeleton, Submit, Trouble, toast } from "../shared/ui.js";
import { Attributes, attributesOf, rowsOf } from "./attributes.js";
import { Picture, useCategories, write } from "./catalog.js";
import { Badge, Part, Sheet, attempt, confirmed } from "./parts.js";
import { Variants } from "./variants.js";

const BACK = { href: "/admin/products", label: "Products" };
const FIELDS = ["name", "sku", "price", "category_id", "brand", "image_url", "description", "stock_quantity", "attributes"];
const WORDS = { name: "name", sku: "SKU", price: "price", category_id: "category", brand: "brand", image_url: "image", description: "description", is_active: "state", attributes: "attributes", stock_quantity: "stock" };

/** What a form holds, of what the API says. */
function draftOf(product) {
  return {
    name: product.name,
    sku: product.sku,
    price: product.price,
    category_id: String(product.category_id ?? ""),
    brand: product.brand ?? "",
    image_url: product.image_url ?? "",
    description: product.description,
    is_active: product.is_active,
    stock_quantity: String(product.stock_quantity),
    attributes: rowsOf(product.attributes),
  };
}

/** What the API is told, of what a form holds. */
function bodyOf(draft) {
  const orNull = (text) => (text.trim() === "" ? null : text.trim());
  return {
    name: draft.name,
    sku: draft.sku,
    price: draft.price.trim(),
    category_id: draft.category_id === "" ? null : Number(draft.category_id),
    brand: orNull(draft.brand),
    image_url: orNull(draft.image_url),
    description: draft.description,
    is_active: draft.is_active,
    stock_quantity: number(draft.stock_quantity),
    attributes: attributesOf(draft.attributes),
  };
}

/** A whole number, else the text as it is: the API says what is wrong with it. */
const number = (text) => (/^\d+$/.test(text.trim()) ? Number(text) : text);

/** The fields in which two bodies differ. */
function differing(from, to) {
  return Object.keys(to).filter((name) => JSON.stringify(from[name]) !== JSON.stringify(to[name]));
}

/** Makes one. */
export function NewProduct() {
  const [draft, setDraft] = useState({ ...draftOf({ name: "", sku: "", price: "", category_id: null, description: "", is_active: true, stock_quantity: 0, attributes: {} }) });
  const send = async () => {
    const body = bodyOf(draft);
    for (const name of ["brand", "image_url", "category_id"]) if (body[name] === null) delete body[name];
    const { json } = await write("POST", "/api/product/", body);
    toast(`${json.name} is in the catalog.`);
    navigate(`/admin/products/${json.id}`, { replace: true });
  };
  return html`<${Sheet} title="New product" back=${BACK} lead="It gets a variant named Default with this SKU, price and stock.">
    <${Form} onSend=${send} shown=${FIELDS}>${({ problem, isBusy }) => html`
      <${Fields} draft=${draft} onChange=${setDraft} problem=${problem} hasStock=${true} />
      <div class="bar-foot"><${Submit} isBusy=${isBusy}>Make the product<//><a class="button" href="/admin/products">Not now</a></div>`}<//>
  <//>`;
}

/** Changes one. @param {{id: string}} props */
export function Product({ id }) {
  const [state, setState] = useState({ product: null, etag: null, draft: null, problem: null, conflict: null });
  const path = `/api/product/${id}/`;
  const load = async () => {
    try {
      const { json, headers } = await request("GET", path, undefined, { whole: true });
      setState({ product: json, etag: headers.get("etag"), draft: draftOf(json), problem: null, conflict: null });
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      setState((old) => ({ ...old, problem }));
    }
  };
  useEffect(() => void load(), [id]);
  const { product, draft, etag, problem, conflict } = state;
  if (problem) return html`<${Sheet} title="Product" back=${BACK}><${Trouble} problem=${problem} onRetry=${load} /><//>`;
  if (!product) return html`<${Sheet} title="Product" back=${BACK}><${Skeleton} h="24rem" /><//>`;

  const base = bodyOf(draftOf(product));
  const changed = differing(base, bodyOf(draft));
  const save = async (tag = etag) => {
    const body = Object.fromEntries(Object.entries(bodyOf(draft)).filter(([name]) => changed.includes(name)));
    try {
      const { json, headers } = await write("PATCH", path, body, { "if-match": tag });
      setState({ product: json, etag: headers.get("etag"), draft: draftOf(json), problem: null, conflict: null });
      toast(`${json.name} is saved.`);
    } catch (refusal) {
      if (!(refusal instanceof Problem) || refusal.status !== 412) throw refusal;
      const { json, headers } = await request("GET", path, undefined, { whole: true });
      setState((old) => ({ ...old, conflict: { product: json, etag: headers.get("etag") } }));
    }
  };
  const remove = async () => {
    const question = { title: `Delete ${product.name}?`, text: "It leaves the catalog and the search; orders keep their copies.", yes: "Delete", danger: true };
    if (!(await confirmed(question))) return;
    try {
      await write("DELETE", path, undefined, { "if-match": etag });
      toast(`${product.name} is deleted.`);
      navigate("/admin/products");
    } catch (refusal) {
      if (!(refusal instanceof Problem)) throw refusal;
      if (refusal.status !== 412) return toast(refusal.rest());
      toast("It was changed meanwhile, and is shown as it is now.");
      await load();
    }
  };
  const actions = html`<a class="button" href=${`/product/${product.id}/${product.slug}/`} target="_blank">In the shop</a>
    <button type="button" class="button danger" onClick=${remove}>Delete</button>`;
  return html`<${Sheet} title=${product.name} back=${BACK} actions=${actions} lead=${html`<${Badge} code=${product.is_active ? "active" : "hidden"} /> <span class="number">#${product.id}</span>, ${product.category?.path.join(" › ")}`}>
    <${Form} onSend=${() => save()} shown=${FIELDS}>${({ problem: refusal, isBusy }) => html`
      ${conflict && html`<${Conflict} base=${base} mine=${bodyOf(draft)} theirs=${bodyOf(draftOf(conflict.product))} onTheirs=${load} onMine=${() => attempt(() => save(conflict.etag))} />`}
      <${Fields} draft=${draft} onChange=${(next) => setState((old) => ({ ...old, draft: next }))} problem=${refusal} hasStock=${product.variants.length === 1} stock=${product.stock_quantity} />
      <div class="bar-foot">
        <${Submit} isBusy=${isBusy || changed.length === 0}>Save changes<//>
        ${changed.length > 0 && html`<button type="button" class="button" onClick=${() => setState((old) => ({ ...old, draft: draftOf(product), conflict: null }))}>Undo</button><span class="fine">Changed: ${changed.map((name) => WORDS[name]).join(", ")}</span>`}
      </div>`}<//>
    <${Variants} product=${product} onChange=${load} isDirty=${changed.length > 0} />
  <//>`;
}

/** Somebody else was faster: what they changed, and whose it is to be. */
function Conflict({ base, mine, theirs, onTheirs, onMine }) {
  const changed = differing(base, theirs);
  const both = changed.filter((name) => differing(base, mine).includes(name));
  const said = (value) => (value === null || value === "" ? "nothing" : typeof value === "object" ? JSON.stringify(value) : String(value));
  return html`<div class="note warn conflict" role="alert" tabindex="-1"><${Icon} name="alert" />
    <div><p><strong>This product was changed since you opened it.</strong> Nothing of yours has been saved yet.</p>
      ${changed.length > 0 && html`<ul>${changed.map((name) => html`<li key=${name}>Their ${WORDS[name]}: <q>${said(theirs[name])}</q>${both.includes(name) && html`, yours: <q>${said(mine[name])}</q>`}</li>`)}</ul>`}
      ${changed.length === 0 && html`<p>It was one of its variants, its rating or a discount.</p>`}
      <div class="actions"><button type="button" class="button small" onClick=${onTheirs}>Take theirs</button>
        <button type="button" class="button small" onClick=${onMine}>Save mine over it</button></div></div>
  </div>`;
}

function Fields({ draft, onChange, problem, hasStock, stock }) {
  const categories = useCategories();
  const bind = (name) => ({ name, value: draft[name], fault: problem?.of(name), onInput: (event) => onChange({ ...draft, [name]: event.target.value }) });
  return html`<div class="two-thirds">
    <${Part} title="Details">
      <div class="form">
        <${Field} label="Name" ...${bind("name")} required maxlength="280" />
        <${Field} label="Description" as="textarea" ...${bind("description")} rows="5" />
        <div class="pair">
          <${Field} label="Category" as="select" ...${bind("category_id")} required>
            <option value="">Choose one</option>
            ${(categories ?? []).map(({ id, path }) => html`<option key=${id} value=${String(id)}>${path.join(" › ")}</option>`)}
          <//>
          <${Field} label="Brand" ...${bind("brand")} maxlength="120" />
        </div>
        <${Attributes} rows=${draft.attributes} onChange=${(attributes) => onChange({ ...draft, attributes })} fault=${problem?.faults.find(({ pointer }) => pointer?.startsWith("/attributes"))?.detail} />
      </div>
    <//>
    <div class="stack">
      <${Part} title="Selling">
        <div class="form">
          <label class="check switch"><input type="checkbox" role="switch" checked=${draft.is_active} onChange=${(event) => onChange({ ...draft, is_active: event.target.checked })} />Shown in the shop</label>
          <${Field} label="SKU" ...${bind("sku")} required maxlength="64" />
          <div class="pair">
            <${Field} label="Price" ...${bind("price")} required inputmode="decimal" />
            ${hasStock ? html`<${Field} label="Stock" ...${bind("stock_quantity")} inputmode="numeric" />` : html`<div class="field"><span class="label">Stock</span><p class="number stock-sum">${stock} <span class="fine">over all variants</span></p></div>`}
          </div>
        </div>
      <//>
      <${Part} title="Image">
        <div class="form image-form"><${Picture} url=${draft.image_url.trim() || null} large=${true} />
          <${Field} label="Address" ...${bind("image_url")} type="url" placeholder="https://" hint="http or https; the shop never fetches it" /></div>
      <//>
    </div>
  </div>`;
}
