// @ts-check
// Docker on this machine, and the images of docker-compose.yml.
import { existsSync } from 'node:fs';
import { ask } from '../lib/child.mjs';
import { FOLDERS, findProgram, howToInstall, isWsl } from '../lib/programs.mjs';
import { ROOT } from '../lib/root.mjs';

/** The Compose project; Compose reads the same variable. */
export const PROJECT = process.env.COMPOSE_PROJECT_NAME || 'shared-state';

/**
 * @typedef {object} Docker
 * @property {string} [engine] its version
 * @property {string} [platform] of its images, for example linux/amd64
 * @property {string} [compose] its version
 * @property {string} [missing] what is missing; `undefined` if containers can run
 * @property {string} [fix] what to do about it
 */

/**
 * Asks Docker for its versions. Never throws.
 *
 * @returns {Docker}
 */
export function findDocker(folders = FOLDERS) {
  if (!findProgram('docker', folders) && process.platform !== 'win32') {
    return { missing: 'Docker is not installed', fix: howToInstall('docker', folders) };
  }
  const format = '{{.Server.Version}} {{.Server.Os}}/{{.Server.Arch}}';
  const server = ask('docker', ['version', '--format', format]);
  if (!server.ok) {
    return { missing: 'the Docker engine does not answer', fix: howToStart(server.said) };
  }
  const [engine = '', platform = ''] = server.stdout.split(' ');
  const { ok, stdout } = ask('docker', ['compose', 'version', '--short']);
  const compose = stdout.replace(/^v/, '');
  if (ok && !compose.startsWith('1.')) return { engine, platform, compose };
  const missing = 'Docker Compose v2 is not installed';
  return { engine, platform, missing, fix: howToInstall('docker') };
}

/** @param {string} reason the output of the client */
function howToStart(reason) {
  if (/permission denied/i.test(reason.split('\n').at(-1) ?? '')) {
    return 'sudo usermod -aG docker "$USER", then log out and in again';
  }
  if (process.platform === 'darwin') return 'open -a Docker';
  if (process.platform === 'win32') return 'start Docker Desktop';
  if (isWsl()) return 'start Docker Desktop; enable Settings, Resources, WSL integration';
  if (existsSync('/run/systemd/system')) return 'sudo systemctl start docker';
  return 'sudo dockerd  (in a second terminal)';
}

/**
 * The image of a service.
 *
 * @typedef {object} Image
 * @property {string} service
 * @property {string} name
 * @property {string} [base] the image that it is built from, if it is built
 */

/**
 * The images of docker-compose.yml with the current settings. Needs no engine.
 *
 * @param {string} cwd the folder of docker-compose.yml
 * @returns {Image[]} none if Compose rejects the file
 */
export function listImages(cwd = ROOT) {
  const { ok, stdout } = ask('docker', ['compose', 'config', '--format', 'json'], cwd);
  if (!ok) return [];
  /** @type {{name: string, services: Record<string, {image?: string, build?: {args?: Record<string, string>}}>}} */
  const { name: project, services } = JSON.parse(stdout);
  return Object.entries(services).map(([service, { image, build }]) => {
    const name = image ?? `${project}-${service}`;
    return build ? { service, name, base: build.args?.NODE_IMAGE ?? '' } : { service, name };
  });
}

/** @param {string} image */
export function hasImage(image) {
  return ask('docker', ['image', 'inspect', '--format', '{{.Id}}', image]).ok;
}
