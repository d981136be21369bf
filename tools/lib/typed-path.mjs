// @ts-check
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

/**
 * A path as the user means it: npm runs scripts in the folder of the project.
 *
 * @param {string} path
 */
export function typedPath(path) {
  const { INIT_CWD } = process.env;
  return resolve(INIT_CWD && existsSync(INIT_CWD) ? INIT_CWD : '.', path);
}
