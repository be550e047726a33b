/**
 * The first page: departments, and a look at what is there.
 */

import { html } from "../shared/html.js";
import { useAnswer } from "../shared/api.js";
import { count, plural } from "../shared/format.js";
import { Icon } from "../shared/icons.js";
import { useSettled, useTitle } from "../shared/router.js";
import { Skeleton, Trouble } from "../shared/ui.js";
import { Drawing } from "./art.js";
import { Cards } from "./card.js";
import { href } from "./query.js";

/** The departments and how much is in them: one answer, which the page's head shows too. */
export const DEPARTMENTS = "/api/product/?page_size=1&facets=category";

/** @param {{facets: {category: {path: string[]}[]}} | undefined} data */
export const roots = (data) => data?.facets.category.filter(({ path }) => path.length === 1) ?? [];

/** How many cards a shelf has. */
const SHELF = 6;

export function Home() {
  const { data, problem, reload } = useAnswer(DEPARTMENTS);
  useTitle(undefined);
  useSettled(Boolean(data));
  if (problem && !data) return html`<${Trouble} isPage=${true} problem=${problem} onRetry=${reload} />`;
  const departments = roots(data);
  return html`
    <section class="hero">
      <h1>Find it as you type.</h1>
      <p>${data ? plural(data.count, "product") : html`<${Skeleton} w="9rem" />`} one search away. Typos are forgiven, counts are exact, prices are today’s.</p>
      <p class="hero-hint fine">Press <kbd>/</kbd> to search from anywhere.</p>
    </section>
    ${data?.count === 0 &&
    html`<div class="empty"><${Icon} name="box" /><h2>The shop is still empty</h2><p>Products appear here as soon as there are some.</p></div>`}
    ${data?.count !== 0 &&
    html`<section aria-labelledby="departments-heading">
      <h2 class="hidden" id="departments-heading">Departments</h2>
      <ul class="departments">
        ${data
          ? departments.map(
              (one) => html`<li key=${one.id}><a class="department" href=${href(new URLSearchParams({ category: one.slug }))}>
                <span class="department-art"><${Drawing} texts=${[one.name]} department=${one.name} seed=${one.id} /></span>
                <span class="department-name">${one.name}</span><span class="fine number">${count(one.count)}</span>
              </a></li>`,
            )
          : Array.from({ length: 10 }, (_, at) => html`<li key=${`coming-${at}`}><span class="department"><span class="department-art"><${Skeleton} h="100%" /></span><span class="department-name"><${Skeleton} w="70%" /></span><span class="fine number"><${Skeleton} w="30%" /></span></span></li>`)}
      </ul>
    </section>
    <${Shelf} title="On sale" asked=${{ on_sale: "true", in_stock: "true", sort: "-popularity" }} />
    <${Shelf} title="Popular now" asked=${{ in_stock: "true", sort: "-popularity" }} />
    <${Shelf} title="New arrivals" asked=${{ in_stock: "true" }} />`}
  `;
}

/** A row of products; gone when it would be empty. */
function Shelf({ title, asked }) {
  const search = new URLSearchParams(asked);
  const { data, problem } = useAnswer(`/api/product/?${search}&page_size=${SHELF}&facets=none`);
  if (problem || data?.count === 0) return null;
  return html`<section class="shelf">
    <div class="shelf-head"><h2>${title}</h2><a href=${href(search)}>See all<span class="hidden"> of ${title}</span></a></div>
    <${Cards} products=${data?.results} coming=${SHELF} />
  </section>`;
}
