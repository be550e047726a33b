/**
 * Amounts, times and counts as people read them. Nothing is computed: amounts are the API's strings, digit for digit.
 */

import { settings } from "./settings.js";

const amounts = new Map();

/**
 * @param {string | null | undefined} amount as the API says it, `"12.50"`
 * @param {string} [currency] the shop's, unless another one is said
 */
export function money(amount, currency = settings.currency) {
  if (amount === null || amount === undefined) return "";
  if (!amounts.has(currency)) {
    amounts.set(currency, new Intl.NumberFormat(undefined, { style: "currency", currency }));
  }
  return amounts.get(currency).format(amount);
}

const days = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const moments = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const counts = new Intl.NumberFormat();

/** @param {string} instant RFC 3339 */
export const day = (instant) => days.format(new Date(instant));

/** @param {string} instant RFC 3339 */
export const moment = (instant) => moments.format(new Date(instant));

/** @param {number} number */
export const count = (number) => counts.format(number);

/**
 * @param {number} number
 * @param {string} one
 * @param {string} [many] with an s, unless it is said
 */
export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

/** `"in_transit"` as `"In transit"`: a code that is a word already. */
export const word = (code) => code.charAt(0).toUpperCase() + code.slice(1).replaceAll("_", " ");
