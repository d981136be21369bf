// Express 5 and a constant: the most requests that Express behind nginx can answer here.
import express from 'express';

const app = express();
app.get('/readyz', (_req, res) => void res.send('ready'));
app.get('/', (_req, res) => {
  res.send('Views: 1');
});
app.listen(Number(process.env.PORT), '127.0.0.1');
