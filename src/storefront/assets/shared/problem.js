/**
 * What went wrong, as a person reads it: a refusal of the API (RFC 9457), or no answer at all.
 */

/** Kinds that the API explains in a programmer's words, in a person's. */
const SAID = {
  "not-found": "It is not here, or not any more.",
  unavailable: "The shop is busy just now. Try again in a moment.",
  "request-timeout": "The shop took too long to answer. Try again.",
  "index-behind": "The search is still catching up. Try again in a moment.",
  internal: "Something broke on the shop's side. Trying again may help.",
  forbidden: "Your account may not do this.",
  "idempotency-key-in-use": "This is being done already. Wait a moment.",
  "payment-in-progress": "Another attempt to pay has not come to its end yet.",
};

/** A request that was not answered as it was hoped. */
export class Problem extends Error {
  /**
   * @param {number} status the HTTP status; 0: no answer came
   * @param {object} [body] the problem's JSON
   * @param {number} [wait] seconds after which trying again is welcome
   */
  constructor(status, body = {}, wait = 0) {
    const slug = typeof body.type === "string" ? body.type.split("/").pop() : status === 0 ? "no-answer" : "unknown";
    super(SAID[slug] ?? body.detail ?? body.title ?? "The shop cannot be reached.");
    this.name = "Problem";
    this.status = status;
    /** The stable name of the kind: `"out-of-stock"`. */
    this.slug = slug;
    this.wait = wait;
    /** All that the API said: kinds have members of their own, such as `available`. */
    this.body = body;
    /** @type {{pointer?: string, parameter?: string, code: string, detail: string}[]} */
    this.faults = Array.isArray(body.errors) ? body.errors : [];
  }

  /** Whether it is the network or the server that is away, and not the request that is wrong. */
  get isAway() {
    return this.status === 0 || this.status === 502 || this.status === 504;
  }

  /**
   * What is wrong with a field of a form.
   * @param {string} name
   * @returns {string | undefined}
   */
  of(name) {
    return this.faults.find((fault) => fault.pointer === `/${name}` || fault.parameter === name)?.detail;
  }

  /**
   * What is wrong apart from the fields that a form shows by itself.
   * @param {string[]} [shown] their names
   */
  rest(shown = []) {
    const others = this.faults.filter((fault) => !shown.includes((fault.pointer ?? "").slice(1)));
    if (this.faults.length === 0) return this.message;
    return others.map((fault) => `${(fault.pointer ?? fault.parameter ?? "").replace("/", "")}: ${fault.detail}`).join(" ");
  }
}
