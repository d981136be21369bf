import type { Request, RequestHandler } from 'express';
import { loadSession } from '../../shared/session/before-loading.ts';
import { MAX_ITEMS } from '../../shared/session/scripts.ts';
import { isStored, saveSession, startSession } from '../../shared/session/session.ts';
import type { SessionState } from '../../shared/session/state.ts';

declare module 'express-session' {
  interface SessionData {
    // Only with COUNTER=session or SESSION_STORE=memory.
    views: number;
    cart: Record<string, number>;
    nickname: string;
  }
}

/** Writes the whole session back. */
async function save(req: Request): Promise<void> {
  if (isStored(req)) await saveSession(req.session);
  else await startSession(req);
}

/**
 * A wrong way for teaching: the state is read with the session, changed here and written back. Of
 * concurrent requests the last one to write wins, and the changes of the others are lost.
 */
export function stateInSession(session: RequestHandler): SessionState {
  return {
    async countView(req) {
      await loadSession(session, req);
      req.session.views = (req.session.views ?? 0) + 1;
      const views = req.session.views;
      await save(req);
      return views;
    },
    async addToCart(req, item, quantity) {
      await loadSession(session, req);
      const cart = new Map(Object.entries(req.session.cart ?? {}));
      const total = (cart.get(item) ?? 0) + quantity;
      if (!cart.has(item) && cart.size >= MAX_ITEMS) return undefined;
      req.session.cart = Object.fromEntries(cart.set(item, total));
      await save(req);
      return total;
    },
    async removeFromCart(req, item) {
      await loadSession(session, req);
      const cart = new Map(Object.entries(req.session.cart ?? {}));
      if (!cart.delete(item)) return;
      req.session.cart = Object.fromEntries(cart);
      await save(req);
    },
    async setNickname(req, nickname) {
      await loadSession(session, req);
      req.session.nickname = nickname;
      await save(req);
    },
    async read(req) {
      await loadSession(session, req);
      const { views = 0, cart = {}, nickname } = req.session;
      return { views, cart, ...(nickname !== undefined && { nickname }) };
    },
  };
}

/** COUNTER=session: only the views are counted in the wrong way. */
export function viewsInSession(state: SessionState, session: RequestHandler): SessionState {
  const { countView, read } = stateInSession(session);
  return {
    ...state,
    countView,
    read: async (req) => {
      const { views } = await read(req);
      return { ...(await state.read(req)), views };
    },
  };
}
