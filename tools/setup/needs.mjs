// @ts-check
// What the stack needs of a machine, as `npm run preflight -- --measure` has measured it.
import { readFileSync, writeFileSync } from 'node:fs';

const FILE = new URL('needs.json', import.meta.url);

/**
 * Megabytes are millions of bytes, rounded up.
 *
 * @typedef {object} Needs
 * @property {{date: string, machine: string, load: number}} measured how busy it was otherwise: from
 *   its number of cores on, the seconds say little
 * @property {Native} native
 * @property {Containers} containers
 * @property {Pack} pack
 */

/**
 * @typedef {object} Native `npm start`
 * @property {number} memoryMB all processes together, npm included, after some requests
 * @property {number} downloadMB the npm packages, the pinned Node included
 * @property {number} diskMB the installed packages and {@link Native.runDiskMB}
 * @property {number} runDiskMB what a stack has written after some requests
 * @property {number} startSeconds until it is ready, the packages being there
 */

/**
 * @typedef {object} Containers `docker compose up`
 * @property {number} memoryMB all containers together, after as many requests; without the engine
 * @property {number} downloadMB the images, compressed, and the npm packages for the built ones
 * @property {number} diskMB the images, each layer once
 * @property {number} startSeconds until it is ready, the images being there
 * @property {string[]} images what was downloaded: the base of those that are built, and the others
 */

/**
 * @typedef {object} Pack `npm run offline -- pack`
 * @property {string[]} platforms
 * @property {number} fileMB
 * @property {number} imagesMB the images in it
 * @property {number} packSeconds
 * @property {number} unpackSeconds
 */

/** @returns {Needs} */
export function readNeeds() {
  return JSON.parse(readFileSync(FILE, 'utf8'));
}

/** @param {Needs} needs */
export function writeNeeds(needs) {
  writeFileSync(FILE, `${JSON.stringify(needs, null, 2)}\n`);
}
