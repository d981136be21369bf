/** Milliseconds. nginx answers within seconds, but a browser sends only six of 100 requests at a time. */
const TIMEOUT_MS = 60_000;
/** Milliseconds in which the reply to a login arrives, with the cookie of the new session. */
const RETRY_MS = 300;

const SESSION_ENDED = 409;

/**
 * A request of this page, as far as it can be seen from here.
 *
 * @typedef {{ method: string, path: string }} Sent
 *
 * Its end. Without a reply there is none.
 * @typedef {{ status: number, headers: Headers, text: string }} Replied
 *
 * Is called when a request is sent, and returns what is called at its end.
 * @typedef {(sent: Sent) => (replied?: Replied) => void} Observer
 */

/** @type {Observer} */
let observe = () => () => {};

/**
 * Sets what sees all requests of this page.
 *
 * @param {Observer} observer
 */
export function observeRequests(observer) {
  observe = observer;
}

/** A request without a reply, or with an error. The message can be shown. */
class RequestFailed extends Error {}

/**
 * Sends a request to the site and reads the reply.
 *
 * @param {string} method
 * @param {string} path
 * @param {{ body?: object, accept?: string, headers?: Record<string, string> }} [sending]
 * @returns {Promise<{ text: string, headers: Headers }>}
 * @throws {RequestFailed}
 */
export async function request(method, path, { body, accept = 'application/json', headers } = {}) {
  /** @returns {RequestInit} */
  const init = () => ({
    method,
    // Otherwise Chromium sends equal requests in turn, as the reply to the first may serve the others.
    cache: 'no-store',
    headers: {
      Accept: accept,
      ...(body && { 'Content-Type': 'application/json' }),
      ...headers,
    },
    ...(body && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const send = async () => {
    const end = observe({ method, path });
    try {
      const response = await fetch(path, init());
      const { ok, status, headers: replied } = response;
      const reply = { ok, status, headers: replied, text: await response.text().catch(() => '') };
      end(reply);
      return reply;
    } catch {
      end();
      throw new RequestFailed('No reply. Please try again.');
    }
  };
  let reply = await send();
  if (reply.status === SESSION_ENDED) {
    // The cookie was older than a login. The request has changed nothing.
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    reply = await send();
  }
  const { ok, status, text } = reply;
  if (!ok) throw new RequestFailed(detailOf(text) ?? `Refused (${status}).`);
  return { text, headers: reply.headers };
}

/**
 * The detail of a problem document.
 *
 * @param {string} text
 * @returns {string | undefined}
 */
function detailOf(text) {
  try {
    const { detail, title } = JSON.parse(text);
    return detail ?? title;
  } catch {
    return undefined;
  }
}

/**
 * The message of a failed request. Any other error is a bug of the page and is thrown again.
 *
 * @param {unknown} err
 */
export function reasonOf(err) {
  if (err instanceof RequestFailed) return err.message;
  throw err;
}
