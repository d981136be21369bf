import express from 'express';
import { live, ready } from '../../../services/shared/http/health.ts';

const shutdown = new AbortController();
process.once('SIGTERM', () => shutdown.abort());

const app = express();
app.get('/livez', live);
app.get(
  '/readyz',
  ready({ check: async () => 'for example redis.ping()', draining: shutdown.signal }),
);
app.listen(Number(process.env.PORT));
