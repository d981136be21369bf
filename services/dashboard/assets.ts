import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RequestHandler } from 'express';

/** The page's own modules and styles are sent as they are. */
const OWN = fileURLToPath(new URL('./page', import.meta.url));
const UPLOT = fileURLToPath(new URL('..', import.meta.resolve('uplot')));
const FOREIGN = ['dist/uPlot.iife.min.js', 'dist/uPlot.min.css'].map((file) => join(UPLOT, file));
/** Seconds: a year. What changes gets another address. */
const FOR_EVER = 31_536_000;

/** The files that the page loads, by name. */
export class Assets {
  /** Another one where any of them differs: the part of their address that changes with them. */
  readonly version: string;
  #files: Map<string, string>;

  constructor() {
    const own = readdirSync(OWN).filter((name) => /\.(js|css|svg)$/.test(name));
    const files = [...own.map((name) => join(OWN, name)), ...FOREIGN];
    const hash = createHash('sha256');
    for (const file of files) hash.update(readFileSync(file));
    this.version = hash.digest('hex').slice(0, 12);
    this.#files = new Map(files.map((file) => [basename(file), file]));
  }

  /** The address of one of them. */
  url(name: string): string {
    return `/board/${this.version}/${name}`;
  }

  /**
   * `GET /board/:version/:file`. Of another version, as an instance has it that is replaced at the
   * moment, it sends what it has, to be kept by nobody.
   */
  readonly send: RequestHandler<{ version: string; file: string }> = (req, res, next) => {
    const file = this.#files.get(req.params.file);
    if (file === undefined) return next();
    const isCurrent = req.params.version === this.version;
    res.set('Cache-Control', isCurrent ? `public, max-age=${FOR_EVER}, immutable` : 'no-store');
    res.sendFile(file, { cacheControl: false, dotfiles: 'allow' }); // in whatever folder the project is
  };
}
