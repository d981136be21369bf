// @ts-check
// Docker here: whether it answers, and the images that docker-compose.yml wants.
import { existsSync } from 'node:fs';
import { ask, FOLDERS, findProgram, howToInstall, isWsl, ROOT } from './programs.mjs';

/** The compose project. Compose itself knows this variable, too. */
export const PROJECT = process.env.COMPOSE_PROJECT_NAME || 'shared-state';

/**
 * @typedef {object} Docker
 * @property {string} [engine] its version, where it answers
 * @property {string} [platform] of its images, as in linux/amd64
 * @property {string} [compose] its version, where it is there
 * @property {string} [missing] what is missing; `undefined` where containers can run
 * @property {string} [mend] what to do about that
 */

/**
 * Asks Docker what there is. Never throws.
 *
 * @returns {Docker}
 */
export function findDocker(folders = FOLDERS) {
  if (!findProgram('docker', folders) && process.platform !== 'win32') {
    return { missing: 'no docker here', mend: howToInstall('docker', folders) };
  }
  const format = '{{.Server.Version}} {{.Server.Os}}/{{.Server.Arch}}';
  const server = ask('docker', ['version', '--format', format]);
  if (!server.ok) {
    const reason = server.said.split('\n').at(-1) ?? '';
    return { missing: 'its engine does not answer', mend: howToStart(reason) };
  }
  const [engine = '', platform = ''] = server.stdout.split(' ');
  const { ok, stdout } = ask('docker', ['compose', 'version', '--short']);
  const compose = stdout.replace(/^v/, '');
  if (ok && !compose.startsWith('1.')) return { engine, platform, compose };
  return { engine, platform, missing: 'Compose v2 is missing', mend: howToInstall('docker') };
}

/** @param {string} reason what the client said */
function howToStart(reason) {
  if (/permission denied/i.test(reason)) {
    return 'sudo usermod -aG docker "$USER", then log out and in again';
  }
  if (process.platform === 'darwin') return 'open -a Docker';
  if (process.platform === 'win32') return 'start Docker Desktop';
  if (isWsl()) {
    return 'start Docker Desktop; its settings, Resources, WSL integration: switch this one on';
  }
  if (existsSync('/run/systemd/system')) return 'sudo systemctl start docker';
  return 'sudo dockerd  (in a terminal of its own)';
}

/**
 * An image that a service runs, or that it is built from.
 *
 * @typedef {object} Image
 * @property {string} service
 * @property {string} name
 * @property {string} [from] where it is built: the image that it is built from
 */

/**
 * The images that docker-compose.yml names now, settings and variables included. Asks no engine.
 *
 * @param {string} cwd the folder of docker-compose.yml
 * @returns {Image[]}
 */
export function imagesWanted(cwd = ROOT) {
  const { ok, stdout } = ask('docker', ['compose', 'config', '--format', 'json'], cwd);
  if (!ok) return [];
  /** @type {{name: string, services: Record<string, {image?: string, build?: {args?: Record<string, string>}}>}} */
  const { name: project, services } = JSON.parse(stdout);
  return Object.entries(services).map(([service, { image, build }]) => {
    const name = image ?? `${project}-${service}`;
    return build ? { service, name, from: build.args?.NODE_IMAGE ?? '' } : { service, name };
  });
}

/** @param {string} name of an image */
export function isThere(name) {
  return ask('docker', ['image', 'inspect', '--format', '{{.Id}}', name]).ok;
}
