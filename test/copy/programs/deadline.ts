import { setTimeout as delay } from 'node:timers/promises';
import express from 'express';
import { pino } from 'pino';
import { deadline } from '../../../services/shared/http/deadline.ts';
import { problemHandler } from '../../../services/shared/http/problem.ts';

const app = express();
app.use(deadline(200)); // milliseconds
app.get('/fast', (_req, res) => void res.send('in time'));
app.get('/slow', async (req, res) => {
  await delay(60_000, undefined, { signal: req.deadline.signal }); // ends with the request
  res.send('too late');
});
app.use(problemHandler(pino()));
app.listen(Number(process.env.PORT));
