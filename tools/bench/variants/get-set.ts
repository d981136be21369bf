// The well-known Compose sample: one counter for all visitors, by GET and SET, without waiting for the SET.
import express from 'express';
import { createClient } from 'redis';

const client = createClient({ url: process.env.REDIS_URL ?? '' });
client.on('error', console.error);
await client.connect();

const app = express();
app.get('/readyz', (_req, res) => void res.send('ready'));
app.get('/', async (_req, res) => {
  const views = Number(await client.get('views')) + 1;
  // oxlint-disable-next-line typescript/no-floating-promises -- the sample does not wait
  client.set('views', views);
  res.send(`Views: ${views}`);
});
app.listen(Number(process.env.PORT), '127.0.0.1');
