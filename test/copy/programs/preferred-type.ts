import express from 'express';
import { preferredType } from '../../../services/shared/http/preferred-type.ts';

const typeFor = preferredType('text', 'json');

const app = express();
app.get('/time', (req, res) => {
  const time = new Date(0).toISOString();
  res.vary('Accept');
  if (typeFor(req) === 'json') res.json({ time });
  else res.type('text').send(time);
});
app.listen(Number(process.env.PORT));
