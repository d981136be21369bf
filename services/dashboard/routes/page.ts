import { readFileSync } from 'node:fs';
import type { RequestHandler } from 'express';
import type { Assets } from './assets.ts';

const INDEX = new URL('../page/index.html', import.meta.url);

/** `GET /` and `GET /dashboard`: the page, the same for everybody. Its own requests count the views. */
export function page(assets: Assets): RequestHandler {
  const html = readFileSync(INDEX, 'utf8').replaceAll('{{assets}}', assets.path);
  return (_req, res) => {
    res.set({ 'Cache-Control': 'no-cache', Vary: 'Accept' }).type('html').send(html);
  };
}
