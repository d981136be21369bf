import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RequestHandler } from 'express';

const PAGE = fileURLToPath(new URL('../page', import.meta.url));
const UPLOT = fileURLToPath(new URL('../dist', import.meta.resolve('uplot')));
const YEAR_SECONDS = 31_536_000;

/** The files that the page loads. */
export interface Assets {
  /** The path of all files. It contains a hash of them, so that browsers may keep them. */
  path: string;
  /**
   * `GET /dashboard/assets/:version/:file`. For another version, which a dashboard may have during
   * a deployment, it sends its own file, not to be kept.
   */
  send: RequestHandler<{ version: string; file: string }>;
}

export function readAssets(): Assets {
  const own = readdirSync(PAGE).filter((name) => /\.(js|css|svg)$/.test(name));
  const paths = [
    ...own.map((name) => join(PAGE, name)),
    ...['uPlot.iife.min.js', 'uPlot.min.css'].map((name) => join(UPLOT, name)),
  ];
  const files = new Map(paths.map((path) => [basename(path), path]));
  const hash = createHash('sha256');
  for (const path of paths) hash.update(readFileSync(path));
  const current = hash.digest('hex').slice(0, 12);
  return {
    path: `/dashboard/assets/${current}`,
    send(req, res, next) {
      const file = files.get(req.params.file);
      if (file === undefined) return next();
      const isCurrent = req.params.version === current;
      const caching = isCurrent ? `public, max-age=${YEAR_SECONDS}, immutable` : 'no-store';
      res.set('Cache-Control', caching);
      // The folder of the project may have a name that begins with a dot.
      res.sendFile(file, { cacheControl: false, dotfiles: 'allow' });
    },
  };
}
