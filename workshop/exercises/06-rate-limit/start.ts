import express from 'express';

const LIMIT = 10;
const WINDOW_SECONDS = 2;
const { PORT, HOST = '' } = process.env;

const app = express();
const counts = new Map<string, number>();
setInterval(() => counts.clear(), WINDOW_SECONDS * 1000);

app.get('/search', (req, res) => {
  const apiKey = req.get('X-Api-Key') ?? '';
  const count = (counts.get(apiKey) ?? 0) + 1;
  counts.set(apiKey, count);
  if (count > LIMIT) {
    res.set('Retry-After', String(WINDOW_SECONDS)).status(429).send('Too many requests');
    return;
  }
  res.send('Found');
});

app.listen(Number(PORT), HOST);
