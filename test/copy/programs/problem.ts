import express from 'express';
import { pino } from 'pino';
import { notFound, problemHandler, sendProblem } from '../../../services/shared/http/problem.ts';

class OutOfStock extends Error {
  readonly status = 409;
  readonly expose = true; // the client may see the message
}

const app = express();
app.get('/old', (_req, res) => sendProblem(res, 410, 'Use /items instead.'));
app.post('/orders', () => {
  throw new OutOfStock('There is no tea left.');
});
app.get('/broken', () => {
  throw new Error('a detail that only the log shows');
});
app.use(notFound);
app.use(problemHandler(pino()));
app.listen(Number(process.env.PORT));
