import type { RequestHandler } from 'express';
import { z } from 'zod';
import { trimmedText } from '../../shared/http/json-body.ts';
import type { SessionState } from '../../shared/session/state.ts';

/** `GET /dashboard/session`: what the visitor's session contains; nothing of it for a stranger. */
export function showSession(state: SessionState): RequestHandler {
  return async (req, res) => {
    const { name } = req.session;
    const { views, cart, nickname } = await state.read(req);
    res.set('Cache-Control', 'no-store').json({ name, nickname, views, cart });
  };
}

export const nicknameBody = z.object({ nickname: trimmedText(40) });

/** `POST /dashboard/nickname` */
export function setNickname(state: SessionState): RequestHandler {
  return async (req, res) => {
    const { nickname } = req.body as z.output<typeof nicknameBody>;
    await state.setNickname(req, nickname);
    res.json({ nickname });
  };
}
