import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RequestHandler } from 'express';

const PAGE = fileURLToPath(new URL('../page', import.meta.url));
const UPLOT = fileURLToPath(new URL('..', import.meta.resolve('uplot')));
const UPLOT_FILES = ['dist/uPlot.iife.min.js', 'dist/uPlot.min.css'];
const YEAR_SECONDS = 31_536_000;

/** The files that the page loads, by name. */
export class Assets {
  /** The path of all files. It contains a hash of them, so that browsers may keep them. */
  readonly path: string;
  #version: string;
  #files: Map<string, string>;

  constructor() {
    const own = readdirSync(PAGE).filter((name) => /\.(js|css|svg)$/.test(name));
    const files = [
      ...own.map((name) => join(PAGE, name)),
      ...UPLOT_FILES.map((name) => join(UPLOT, name)),
    ];
    const hash = createHash('sha256');
    for (const file of files) hash.update(readFileSync(file));
    this.#version = hash.digest('hex').slice(0, 12);
    this.path = `/dashboard/assets/${this.#version}`;
    this.#files = new Map(files.map((file) => [basename(file), file]));
  }

  /**
   * `GET /dashboard/assets/:version/:file`. For another version, which a dashboard may have during
   * a deployment, it sends its own file, not to be kept.
   */
  readonly send: RequestHandler<{ version: string; file: string }> = (req, res, next) => {
    const file = this.#files.get(req.params.file);
    if (file === undefined) return next();
    const isCurrent = req.params.version === this.#version;
    const caching = isCurrent ? `public, max-age=${YEAR_SECONDS}, immutable` : 'no-store';
    res.set('Cache-Control', caching);
    // The folder of the project may have a name that begins with a dot.
    res.sendFile(file, { cacheControl: false, dotfiles: 'allow' });
  };
}
