/**
 * A list of the API as a table: a page of it, with places kept while it comes.
 */

import { html, useEffect } from "../shared/html.js";
import { useAnswer } from "../shared/api.js";
import { plural } from "../shared/format.js";
import { useSettled } from "../shared/router.js";
import { Pager, Skeleton, Trouble, announce } from "../shared/ui.js";

/** Rows of a page. */
export const ROWS = 25;

/**
 * @typedef {object} Column
 * @property {string} head
 * @property {(row: object) => any} cell
 * @property {string} [class] `"right"`; `"roomy"` is left out on narrow screens, `"roomier"` on medium ones too
 */

/**
 * @param {{label: string, noun: string, path: string | null, columns: Column[], place?: object, empty?: any,
 *   turn?: unknown, nouns?: string}} props `noun`: what one row is; `turn`: another value asks anew
 */
export function Listing({ label, noun, nouns, path, columns, place, empty, turn }) {
  const { data, problem, isLoading, reload } = useAnswer(path, { fresh: true });
  useEffect(() => {
    if (turn !== undefined && turn !== 0) reload();
  }, [turn]);
  useSettled(data !== undefined);
  const many = data && plural(data.count, noun, nouns);
  useEffect(() => {
    if (many) announce(many);
  }, [many]);
  if (problem && !data) return html`<${Trouble} problem=${problem} onRetry=${reload} />`;
  if (data && data.results.length === 0) {
    return html`<div class="panel blank">${empty || html`<p class="muted">Nothing here matches.</p>`}</div>`;
  }
  const page = Number(place?.params.get("page") ?? 1);
  return html`
    <div class="table-box" role="region" aria-label=${label} tabindex="0" aria-busy=${isLoading ? "true" : "false"}>
      <table class="table dense">
        <caption class="hidden">${label}</caption>
        <thead><tr>${columns.map((column) => html`<th key=${column.head} scope="col" class=${column.class ?? ""}>${column.head}</th>`)}</tr></thead>
        <tbody>${data ? data.results.map((row) => html`<${Row} key=${row.id ?? row.line} row=${row} columns=${columns} />`) : places(columns)}</tbody>
      </table>
    </div>
    <div class="list-foot">
      <p class="fine number">${many ?? html`<${Skeleton} w="8rem" />`}</p>
      ${data && place && html`<${Pager} page=${page} pages=${Math.ceil(data.count / ROWS)} href=${(number) => place.href({ page: number === 1 ? null : number })} />`}
    </div>`;
}

function Row({ row, columns }) {
  return html`<tr>${columns.map((column) => html`<td key=${column.head} class=${column.class ?? ""}>${column.cell(row)}</td>`)}</tr>`;
}

const places = (columns) =>
  Array.from({ length: 8 }, (_, at) => html`<tr key=${at}>${columns.map((column) => html`<td key=${column.head} class=${column.class ?? ""}><${Skeleton} w=${`${50 + ((at * 17) % 40)}%`} /></td>`)}</tr>`);
