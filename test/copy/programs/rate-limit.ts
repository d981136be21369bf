import express from 'express';
import { createClient } from 'redis';
import { limitRate } from '../../../services/shared/http/rate-limit.ts';

const redis = createClient({ url: process.env.REDIS_URL ?? '', disableOfflineQueue: true });
redis.on('error', (err) => console.error(err));
await redis.connect();

const app = express().set('trust proxy', 1);
const limited = limitRate({
  redis: { sendCommand: (command) => redis.sendCommand(command) },
  name: 'orders',
  limit: 3,
  of: (req) => String(req.params.customer),
  detail: 'Too many orders. Please try again later.',
});
app.post('/orders/:customer', limited, (_req, res) => void res.status(201).end());
app.listen(Number(process.env.PORT));
