/**
 * What the page was sent with: the shop's currency, and how it can be paid.
 *
 * @typedef {object} Settings
 * @property {string} currency ISO 4217
 * @property {{gateway: string, key: string} | null} card where a browser confirms a card, and with which key
 * @property {boolean} mpesa whether M-Pesa is taken
 */

/** @type {Settings} */
export const settings = JSON.parse(document.querySelector('meta[name="duka-settings"]').content);
