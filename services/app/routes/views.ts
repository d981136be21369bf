import { createHash } from 'node:crypto';
import type { RequestHandler } from 'express';
import type { SessionState } from '../../shared/session-state.ts';

/** What a visitor sees of the shared state. */
interface Seen {
  views: number;
  instance: string;
  /** Tells sessions apart without giving them away: 8 hexadecimal digits of a hash of the id. */
  session: string;
}

/** `GET /`: counts one view of the visitor's session and says which instance counted it. */
export function countViews(state: SessionState, instance: string): RequestHandler {
  return async (req, res) => {
    const views = await state.countView(req);
    const session = createHash('sha256').update(req.sessionID).digest('hex').slice(0, 8);
    const seen: Seen = { views, instance, session };
    const text = `Views: ${views}`;
    res.set('Cache-Control', 'no-store').format({
      text: () => res.send(text),
      json: () => res.json(seen),
      html: () => res.send(page(seen)),
      default: () => res.type('text').send(text),
    });
  };
}

function page({ views, instance, session }: Seen): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <title>Views: ${views}</title>
  </head>
  <body>
    <h1>Views: ${views}</h1>
    <p>Answered by <strong>${instance}</strong>, for session <code>${session}</code>.</p>
    <p>Reload: the number goes on, the instance changes. The number is in Redis, where all instances see it.</p>
  </body>
</html>
`;
}
