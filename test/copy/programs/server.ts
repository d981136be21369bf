import { setTimeout as delay } from 'node:timers/promises';
import { HttpServer } from '../../../services/shared/process/server.ts';

// Any request listener will do: an Express application is one, too.
const server = new HttpServer(async (req, res) => {
  if (req.url === '/slow') await delay(1000);
  res.end('whole');
});
await server.listen(Number(process.env.PORT), '127.0.0.1');

process.once('SIGTERM', async () => {
  await server.drain(5000); // milliseconds
  process.exit(0);
});
