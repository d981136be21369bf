import { readFileSync } from 'node:fs';
import type { Request, RequestHandler, Response } from 'express';
import type { Assets } from './assets.ts';

const FOLDER = new URL('../page/', import.meta.url);

/** The ports of two stacks on this host, side by side in one page: the right one and a wrong one. */
export type ComparePorts = readonly [right: number, wrong: number];

/**
 * `GET /` and `GET /dashboard`: the page, the same for everybody. Its own requests count the views.
 *
 * @param framePort if set, a page at this port of the same host may show this page in a frame
 */
export function page(assets: Assets, framePort?: number): RequestHandler {
  const html = readPage('index.html', assets);
  return (req, res) => {
    if (framePort !== undefined) {
      setPolicy(res, { 'frame-ancestors': originsOf(req, [framePort]) });
      res.removeHeader('X-Frame-Options'); // it knows no other origin
    }
    sendPage(res, html);
  };
}

/** `GET /dashboard/compare`: the pages of two stacks beside each other. */
export function compare(assets: Assets, ports: ComparePorts): RequestHandler {
  const html = readPage('compare.html', assets).replace('{{ports}}', ports.join());
  return (req, res) => {
    setPolicy(res, { 'frame-src': originsOf(req, ports) });
    sendPage(res, html);
  };
}

function readPage(file: string, assets: Assets): string {
  return readFileSync(new URL(file, FOLDER), 'utf8').replaceAll('{{assets}}', assets.path);
}

function sendPage(res: Response, html: string): void {
  res.set({ 'Cache-Control': 'no-cache', Vary: 'Accept' }).type('html').send(html);
}

/** Origins with the host name of a request. */
function originsOf({ protocol, hostname }: Request, ports: readonly number[]): string {
  return ports.map((port) => `${protocol}://${encodeURI(hostname)}:${port}`).join(' ');
}

/** Changes directives of the Content-Security-Policy. */
function setPolicy(res: Response, changed: Record<string, string>): void {
  const others = String(res.get('Content-Security-Policy'))
    .split(';')
    .filter((directive) => !((directive.split(' ')[0] ?? '') in changed));
  const own = Object.entries(changed).map((directive) => directive.join(' '));
  res.set('Content-Security-Policy', [...others, ...own].join(';'));
}
