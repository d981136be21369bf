import type { RequestHandler } from 'express';
import { z } from 'zod';
import { text } from '../../shared/http/json-body.ts';
import { sendProblem } from '../../shared/http/problem.ts';
import { MAX_ITEMS } from '../../shared/session/scripts.ts';
import type { SessionState } from '../../shared/session/state.ts';

const wholeNumber = 'must be a whole number from 1 to 99';

/** Clients and nginx resolve such segments of a path, so `DELETE /cart/:item` could not name it. */
const DOT_SEGMENT = /(^|\/)\.\.?(\/|$)/;

/** The body of `POST /cart`. */
export const cartBody = z.object({
  item: text(60).refine(
    (item) => !DOT_SEGMENT.test(item),
    'must not have "." or ".." as a path has',
  ),
  quantity: z.int(wholeNumber).min(1, wholeNumber).max(99, wholeNumber),
});

/** `GET /cart`: the quantities by item. */
export function showCart(state: SessionState): RequestHandler {
  return async (req, res) => {
    const { cart } = await state.read(req);
    res.set('Cache-Control', 'no-store').json(cart);
  };
}

/** `POST /cart`: adds to an item and answers with its new quantity. */
export function addToCart(state: SessionState): RequestHandler {
  return async (req, res) => {
    const { item, quantity } = req.body as z.output<typeof cartBody>;
    const total = await state.addToCart(req, item, quantity);
    if (total === undefined) {
      return sendProblem(res, 422, `item: the cart already holds ${MAX_ITEMS} different items`);
    }
    res.json({ item, quantity: total });
  };
}

/** `DELETE /cart/:item`: removes an item, if it is there. */
export function removeFromCart(state: SessionState): RequestHandler {
  return async (req, res) => {
    await state.removeFromCart(req, String(req.params.item));
    res.status(204).end();
  };
}
