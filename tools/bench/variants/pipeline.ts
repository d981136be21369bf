// The least that a counter in a session can be: two commands of Redis, sent together.
import { randomUUID } from 'node:crypto';
import express from 'express';
import { createClient } from 'redis';

// node-redis makes an AbortSignal.timeout() for each command by default.
const commandOptions = process.env.COMMAND_TIMEOUT === 'off' ? { timeout: 0 } : {};
const client = createClient({ url: process.env.REDIS_URL ?? '', commandOptions });
client.on('error', console.error);
await client.connect();

const app = express();
app.get('/readyz', (_req, res) => void res.send('ready'));
app.get('/', async (req, res) => {
  let id = /session=([\w-]+)/.exec(req.headers.cookie ?? '')?.[1] ?? '';
  let [session, views] = await Promise.all([
    client.get(`session:${id}`),
    client.incr(`views:${id}`),
  ]);
  if (!session) {
    id = randomUUID();
    session = JSON.stringify({ startedAt: Date.now() });
    [, views] = await Promise.all([
      client.set(`session:${id}`, session),
      client.incr(`views:${id}`),
    ]);
    res.cookie('session', id);
  }
  res.send(`Views: ${views}`);
});
app.listen(Number(process.env.PORT), '127.0.0.1');
