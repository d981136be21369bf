import express from 'express';
import { pino } from 'pino';
import { idempotency } from '../../../services/shared/http/idempotency.ts';

// One process can use a Map. Several processes need SET NX in Redis, as session/scripts.ts does.
const applied = new Map<string, number>();
let lastOrder = 0;

const app = express();
app.post('/orders', idempotency(true, pino()), express.json(), (req, res) => {
  const key = req.idempotencyKey?.() ?? crypto.randomUUID();
  const order = applied.get(key) ?? ++lastOrder;
  applied.set(key, order);
  res.status(201).json({ order });
});
app.listen(Number(process.env.PORT));
