// @ts-check
// What a stack needs, as measured by `npm run preflight -- --measure`.
import { readFileSync, writeFileSync } from 'node:fs';

const FILE = new URL('requirements.json', import.meta.url);

/**
 * Megabytes are millions of bytes, rounded up.
 *
 * @typedef {object} Requirements
 * @property {Native} native
 * @property {Record<string, number>} lessonSeconds by the name of the lesson, measured with `native`
 * @property {Containers} containers
 * @property {Pack} pack
 */

/**
 * The circumstances of a measurement.
 *
 * @typedef {object} Measured
 * @property {string} date
 * @property {string} machine
 * @property {number} load the load average before; below the number of cores
 */

/**
 * @typedef {object} Native `npm start` and, for `npm test`, the packages for development
 * @property {Measured} measured
 * @property {number} memoryMB all processes with npm, after some requests
 * @property {number} downloadMB the npm packages
 * @property {number} testDownloadMB the npm packages with those for development
 * @property {number} nodeMB the download of Node for a machine with an older one
 * @property {number} diskMB the installed packages and `runDiskMB`
 * @property {number} testDiskMB the same with the packages for development
 * @property {number} runDiskMB the files of a stack after some requests
 * @property {number} startSeconds until the stack is ready, without installation
 */

/**
 * @typedef {object} Containers `docker compose up`
 * @property {Measured} measured with `pack`
 * @property {number} memoryMB all containers after as many requests, without the engine
 * @property {number} downloadMB the images, compressed, and the npm packages for the built ones
 * @property {number} diskMB the images, each layer once
 * @property {number} startSeconds until the stack is ready, without downloads
 * @property {string[]} images the downloaded images; of built ones, their base
 */

/**
 * @typedef {object} Pack `npm run offline -- pack`
 * @property {string[]} platforms
 * @property {number} fileMB
 * @property {number} imagesMB the images in the file
 * @property {number} packSeconds
 * @property {number} unpackSeconds
 */

/** @returns {Requirements} */
export function readRequirements() {
  return JSON.parse(readFileSync(FILE, 'utf8'));
}

/** @param {Requirements} requirements */
export function writeRequirements(requirements) {
  writeFileSync(FILE, `${JSON.stringify(requirements, null, 2)}\n`);
}

/**
 * Millions of bytes, rounded up.
 *
 * @param {number} bytes
 */
export function megabytes(bytes) {
  return Math.ceil(bytes / 1e6);
}
