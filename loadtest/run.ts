// npm run loadtest -- NAME: runs a load test with k6, or with what stands in for it here.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { k6TooOld } from '../tools/lib/k6.mjs';

const FOLDER = import.meta.dirname;
const RESULTS = join(FOLDER, 'results');
const IMAGE = process.env.K6_IMAGE || 'grafana/k6:latest';

const names = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts') && file !== 'run.ts')
  .map((file) => file.slice(0, -'.ts'.length));

/** The setting that names a file. */
const BEFORE = 'BEFORE=';
/** k6's exit code where a signal ended it. */
const SIGNALLED = 105;

const USAGE = `Usage: npm run loadtest -- NAME [-e NAME=VALUE] [any option of "k6 run"]
  names: ${names.join(', ')}
  --with k6|image|runner   instead of the first of them that is there
  -e BASE_URL=http://localhost:8080, and what the head of each script names`;

/** How a load test can be run. */
interface Way {
  /** Why it cannot be used here: empty if it is not installed, `undefined` if it can be used. */
  problem(): string | undefined;
  what: string;
  command(script: string, options: string[]): string[];
}

const WAYS: Record<string, Way> = {
  k6: {
    problem: () => {
      const { status, stdout } = ask('k6', 'version');
      return status === 0 ? k6TooOld(stdout) : '';
    },
    what: 'k6',
    command: (script, options) => ['k6', 'run', ...options, join(FOLDER, script)],
  },
  image: {
    problem: () => {
      if (ask('docker', 'image', 'inspect', IMAGE).status !== 0) return '';
      const { stdout: system } = ask('docker', 'info', '--format', '{{.OperatingSystem}}');
      const isVirtual = process.platform !== 'linux' || system.includes('Docker Desktop');
      return isVirtual ? 'Docker runs in a virtual machine with a network of its own' : undefined;
    },
    what: `the image ${IMAGE}`,
    command: (script, options) => [
      ...['docker', 'run', '--rm', '--init', '--network', 'host'],
      ...['--user', `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`],
      ...['--volume', `${FOLDER}:${FOLDER}`, '--workdir', FOLDER],
      ...options.filter((one) => one.startsWith(BEFORE)).flatMap((one) => mounted(one)),
      ...Object.keys(process.env).flatMap((name) =>
        name.startsWith('K6_') || name === 'BASE_URL' ? ['--env', name] : [],
      ),
      ...[IMAGE, 'run', ...options, join(FOLDER, script)],
    ],
  },
  runner: {
    problem: () => undefined,
    what: "the project's own runner",
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
const candidates = Object.entries(WAYS).filter(([key]) => key === (wanted ?? key));
const problems: string[] = [];
const [, way] =
  candidates.find(([, { what, problem }]) => {
    const reason = problem();
    if (reason || (wanted && reason === '')) problems.push(reason || `${what} is not installed`);
    return reason === undefined;
  }) ?? [];
for (const problem of problems) console.error(problem);
if (problems.length > 0 && !way) process.exit(1);
if (!names.includes(name) || !way) {
  console.error(USAGE);
  process.exit(name === '--list' || name === '' ? 0 : 1);
}
console.error(`${name}, by ${way.what}`);
mkdirSync(RESULTS, { recursive: true });
const [command = '', ...args] = way.command(`${name}.ts`, [...settings(options)]);
const child = spawn(command, args, { stdio: 'inherit' });
process.on('SIGINT', () => {}); // Ctrl-C reaches the child too; twice would end k6 without a summary
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.once('exit', (code) => process.exit(code ?? SIGNALLED));

/** The results go to one folder; an earlier one is named as seen from here, not from the script. */
function* settings(given: string[]): Generator<string> {
  yield* ['-e', `RESULTS=${RESULTS}`];
  for (const option of given) {
    yield option.startsWith(BEFORE) ? BEFORE + resolve(option.slice(BEFORE.length)) : option;
  }
}

function mounted(setting: string): string[] {
  const file = setting.slice(BEFORE.length);
  return ['--volume', `${file}:${file}:ro`];
}

function ask(command: string, ...args: string[]): { status: number | null; stdout: string } {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8' });
  return { status, stdout: stdout ?? '' };
}
