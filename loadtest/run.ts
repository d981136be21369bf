// npm run loadtest -- NAME: runs a load test with k6, or with the runner that stands in for it here.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { k6TooOld } from '../tools/lib/k6.mjs';

const FOLDER = import.meta.dirname;
const RESULTS = join(FOLDER, 'results');
const IMAGE = process.env.K6_IMAGE || 'grafana/k6:2.3.0';

/** Node caches the runner's JavaScript here. */
const COMPILED = join(FOLDER, '../node_modules/.cache/compiled');

/** Files by the name of the load test: `01-smoke.ts` is `smoke`. */
const files = Object.fromEntries(
  readdirSync(FOLDER)
    .filter((file) => /^\d\d-/.test(file))
    .map((file) => [file.slice('01-'.length, -'.ts'.length), file]),
);

/** k6's exit code after a signal. */
const SIGNALLED = 105;
/** An option was wrong, as in k6. */
const CONFIGURATION = 104;

/** An option of k6, which may become its default. */
const NEW_SUMMARY = '--new-machine-readable-summary';

const USAGE = `Usage: npm run loadtest -- NAME [-e NAME=VALUE] [any option of "k6 run"]
  names: ${Object.keys(files).join(', ')}
  --with k6|image|runner   instead of the first of them that is there
  -e BASE_URL=http://localhost:8080, and the settings at the top of each script`;

/** A way to run a load test. */
interface Way {
  /** Why it cannot be used here: empty if it is not installed, `undefined` if it can be used. */
  problem(): string | undefined;
  title: string;
  command(script: string, options: string[]): string[];
}

const WAYS: Record<string, Way> = {
  k6: {
    problem: () => {
      const { status, stdout } = ask('k6', 'version');
      return status === 0 ? k6TooOld(stdout) : '';
    },
    title: 'k6',
    command: (script, options) => ['k6', 'run', ...options, join(FOLDER, script)],
  },
  image: {
    problem: () => {
      if (ask('docker', 'image', 'inspect', IMAGE).status !== 0) return '';
      const { stdout: system } = ask('docker', 'info', '--format', '{{.OperatingSystem}}');
      const isVirtual = process.platform !== 'linux' || system.includes('Docker Desktop');
      return isVirtual ? 'Docker runs in a virtual machine with a network of its own' : undefined;
    },
    title: `the image ${IMAGE}`,
    command: (script, options) => [
      ...['docker', 'run', '--rm', '--init', '--network', 'host'],
      ...['--user', `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`],
      ...['--volume', `${FOLDER}:${FOLDER}`, '--workdir', FOLDER],
      ...Object.keys(process.env).flatMap((name) =>
        name.startsWith('K6_') || name === 'BASE_URL' ? ['--env', name] : [],
      ),
      ...[IMAGE, 'run', ...options, join(FOLDER, script)],
    ],
  },
  runner: {
    problem: () => undefined,
    title: "the project's own runner",
    command: (script, options) => [
      ...[process.execPath, join(FOLDER, 'runner/main.ts'), 'run'],
      ...[...options, join(FOLDER, script)],
    ],
  },
};

const words = process.argv.slice(2);
const at = words.indexOf('--with');
const [, wanted] = at < 0 ? [] : words.splice(at, 2);
const [name = '', ...options] = words;
if (['', '-h', '--help'].includes(name)) {
  console.log(USAGE);
  process.exit(0);
}
const script = files[name];
if (script === undefined || (at >= 0 && !(wanted && wanted in WAYS))) {
  console.error(USAGE);
  process.exit(CONFIGURATION);
}
if (options.includes(NEW_SUMMARY)) {
  console.error(`${NEW_SUMMARY}: its data has no thresholds, so nothing could be judged`);
  process.exit(CONFIGURATION);
}
const way = choose();
console.error(`${name}, by ${way.title}`);
mkdirSync(RESULTS, { recursive: true });
if (way !== WAYS.runner) process.env.K6_NEW_MACHINE_READABLE_SUMMARY ??= 'false';
const own = ['-e', `RESULTS=${RESULTS}`, '-e', `SETTINGS=${namesIn(options).join()}`];
const [command = '', ...args] = way.command(script, [...own, ...options]);
const env = { NODE_COMPILE_CACHE: COMPILED, ...process.env };
const child = spawn(command, args, { stdio: 'inherit', env });
process.on('SIGINT', () => {}); // Ctrl-C reaches the child too; twice would end k6 without a summary
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.once('exit', (code) => process.exit(code ?? SIGNALLED));

/** The way that was asked for, or the first that can be used. Says which cannot be used, and why. */
function choose(): Way {
  for (const [key, way] of Object.entries(WAYS)) {
    if (key !== (wanted ?? key)) continue;
    const problem = way.problem();
    if (problem === undefined) return way;
    if (problem || wanted) console.error(problem || `${way.title} is not installed`);
  }
  return process.exit(CONFIGURATION);
}

/** The names after `-e` and `--env`. The script refuses those that it does not know. */
function namesIn(given: string[]): string[] {
  return given.flatMap((word, i) => {
    const [, joined] = /^(?:-e|--env=)(.+)$/.exec(word) ?? [];
    const pair = joined ?? (['-e', '--env'].includes(word) ? given[i + 1] : undefined);
    return pair === undefined ? [] : [pair.split('=')[0] ?? ''];
  });
}

function ask(command: string, ...args: string[]): { status: number | null; stdout: string } {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8' });
  return { status, stdout: stdout ?? '' };
}
