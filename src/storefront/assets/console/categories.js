/**
 * Categories, in the order of their tree.
 */

import { html, useState } from "../shared/html.js";
import { plural } from "../shared/format.js";
import { Icon } from "../shared/icons.js";
import { Dialog, Field, Form, Skeleton, Submit, toast } from "../shared/ui.js";
import { forgetCategories, useCategories, write } from "./catalog.js";
import { Sheet, attempt, confirmed } from "./parts.js";

/** The page. */
export function Categories() {
  const [turn, setTurn] = useState(0);
  const categories = useCategories(turn);
  const [edited, setEdited] = useState(null);
  const changed = () => {
    forgetCategories();
    setEdited(null);
    setTurn(turn + 1);
  };
  const remove = async (category) => {
    const question = { title: `Delete ${category.name}?`, text: "Only one without products and without categories below it can go.", yes: "Delete", danger: true };
    if ((await confirmed(question)) && (await attempt(() => write("DELETE", `/api/category/${category.id}/`), `${category.name} is deleted.`))) changed();
  };
  return html`<${Sheet} title="Categories" lead=${categories ? plural(categories.length, "category", "categories") : "As a tree"}
      actions=${html`<button type="button" class="button primary" onClick=${() => setEdited({})}><${Icon} name="plus" class="small" />New category</button>`}>
    ${!categories ? html`<${Skeleton} h="20rem" />` : categories.length === 0 ? html`<div class="panel blank"><p class="muted">There is no category yet; a product needs one.</p></div>`
      : html`<div class="table-box" role="region" aria-label="Categories" tabindex="0"><table class="table dense">
        <thead><tr><th scope="col">Category</th><th scope="col" class="roomy">Address</th><th scope="col"><span class="hidden">What can be done</span></th></tr></thead>
        <tbody>${categories.map((category) => html`<tr key=${category.id}>
          <td><span class="branch" style=${{ paddingInlineStart: `${(category.path.length - 1) * 1.25}rem` }}><a class=${`plain ${category.path.length === 1 ? "strong" : ""}`} href=${`/admin/products?category=${category.id}`}>${category.name}</a></span></td>
          <td class="roomy"><code>${category.slug}</code></td>
          <td class="row-actions"><button type="button" class="icon-button" aria-label=${`Add a category below ${category.name}`} onClick=${() => setEdited({ parent_id: category.id })}><${Icon} name="plus" class="small" /></button>
            <button type="button" class="icon-button" aria-label=${`Change ${category.name}`} onClick=${() => setEdited(category)}><${Icon} name="edit" class="small" /></button>
            <button type="button" class="icon-button" aria-label=${`Delete ${category.name}`} onClick=${() => remove(category)}><${Icon} name="trash" class="small" /></button></td>
        </tr>`)}</tbody>
      </table></div>`}
    ${edited && html`<${CategoryForm} category=${edited} all=${categories ?? []} onClose=${() => setEdited(null)} onDone=${changed} />`}
  <//>`;
}

function CategoryForm({ category, all, onClose, onDone }) {
  const isNew = category.id === undefined;
  const [parent, setParent] = useState(String(category.parent_id ?? ""));
  const send = async ({ name, slug, description }) => {
    const body = { name, description, parent_id: parent === "" ? null : Number(parent) };
    if (slug.trim() !== "") body.slug = slug;
    await write(isNew ? "POST" : "PATCH", isNew ? "/api/category/" : `/api/category/${category.id}/`, body);
    toast(`${name} is saved.`);
    onDone();
  };
  return html`<${Dialog} title=${isNew ? "New category" : category.name} onClose=${onClose}>
    <${Form} onSend=${send} shown=${["name", "slug", "description", "parent_id"]}>${({ problem, isBusy }) => html`
      <${Field} label="Name" name="name" defaultValue=${category.name ?? ""} required maxlength="120" fault=${problem?.of("name")} />
      <${Field} label="Below" name="parent_id" as="select" value=${parent} onChange=${(event) => setParent(event.target.value)} fault=${problem?.of("parent_id")}>
        <option value="">Nothing: it is a root</option>
        ${all.filter(({ id }) => id !== category.id).map(({ id, path }) => html`<option key=${id} value=${String(id)}>${path.join(" › ")}</option>`)}
      <//>
      <${Field} label="Address" name="slug" defaultValue=${category.slug ?? ""} hint=${isNew ? "Empty: made of the name" : "As in addresses of the shop"} fault=${problem?.of("slug")} />
      <${Field} label="Description" name="description" as="textarea" rows="3" defaultValue=${category.description ?? ""} fault=${problem?.of("description")} />
      <div class="actions end"><button type="button" class="button" onClick=${onClose}>Not now</button><${Submit} isBusy=${isBusy}>Save<//></div>
    `}<//>
  <//>`;
}
