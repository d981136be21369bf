import { StackError } from '../lib/errors.mjs';
import { canInstall, findProgram, installOnDebian } from '../lib/programs.mjs';

/** The programs: each as its package of Debian is named, then as its authors name it. */
const NAMES = {
  prometheus: ['prometheus'],
  'nginx-exporter': ['prometheus-nginx-exporter', 'nginx-prometheus-exporter'],
  'redis-exporter': ['prometheus-redis-exporter', 'redis_exporter'],
};

/** The path of each program. */
export type Programs = Record<keyof typeof NAMES, string>;

/** The names of the Debian packages that are missing. */
function missingPackages(): string[] {
  return Object.values(NAMES).flatMap((names) => (findProgram(names) ? [] : names.slice(0, 1)));
}

/** Returns why Prometheus cannot run here, or `undefined` if it can. */
export function prometheusMissing(): string | undefined {
  const missing = missingPackages();
  if (missing.length === 0) return undefined;
  const packages = missing.join(' ');
  return `${packages} missing. On Debian and Ubuntu:  sudo apt-get install ${packages}`;
}

/**
 * Finds Prometheus and its exporters. As root on Debian or Ubuntu it installs them if necessary.
 *
 * @param report shows the user one line
 * @throws {StackError} if one is missing, with the command that installs it
 */
export function findPrograms(report: (line: string) => void): Programs {
  const missing = missingPackages();
  if (missing.length > 0 && canInstall()) installOnDebian(missing, report);
  const reason = prometheusMissing();
  if (reason) throw new StackError(reason);
  const found = Object.entries(NAMES).map(([name, names]) => [name, findProgram(names)]);
  return Object.fromEntries(found) as Programs;
}
