// npm start: runs a stack, or seats for an audience, until Ctrl-C.
import { readdirSync, watch } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { failure } from '../lib/errors.mjs';
import { addressRanges, assertKnown, wholeNumber } from '../lib/options.ts';
import { ROOT } from '../lib/root.mjs';
import { END_SIGNALS } from '../lib/terminal.mjs';
import { startControlServer } from './control-server.ts';
import { controlSocket, NAME_OPTION } from './folder.ts';
import { freePort } from './port.ts';
import { faultInjectionSettings } from './public-url.ts';
import { settingsOf } from './settings.ts';
import { MAX_SCALE, Stack, TOPOLOGIES } from './stack.ts';
import { tlsOf } from './tls.ts';

/** Milliseconds without another change before the instances restart (npm run dev). */
const QUIET_MS = 100;
/** Milliseconds within which repeated signals count as one. */
const REPEAT_MS = 1000;

process.umask(0o077); // no file is readable by others, and each by its own process

await start().catch((err) => {
  const { text, exitCode } = failure(err);
  console.error(text);
  process.exit(exitCode);
});

async function start(): Promise<void> {
  const { values } = parseArgs({
    allowNegative: true, // --no-install
    options: {
      name: NAME_OPTION,
      scale: { type: 'string' },
      port: { type: 'string' },
      redis: { type: 'string' },
      program: { type: 'string' },
      install: { type: 'boolean', default: true },
      watch: { type: 'boolean', default: false },
      compare: { type: 'string', multiple: true, default: [] },
      tls: { type: 'boolean', default: false },
      cert: { type: 'string' },
      key: { type: 'string' },
      seats: { type: 'string' },
      'at-once': { type: 'string' },
      'seat-memory': { type: 'string' },
    },
  });
  const { name, program = 'app', install } = values;
  const redis = (values.redis ?? 'single') as keyof typeof TOPOLOGIES;
  assertKnown('--redis', redis, Object.keys(TOPOLOGIES));
  const wrong = await settingsOf('--compare', values.compare);
  const scale = wholeNumber('--scale', values.scale ?? (values.seats ? '2' : '3'), 1, MAX_SCALE);
  const port = values.port
    ? wholeNumber('--port', values.port, 0, 65_535)
    : wholeNumber('HTTP_PORT', process.env.HTTP_PORT || '8080', 0, 65_535);
  const bind = process.env.BIND || '127.0.0.1';
  const trustedProxies = addressRanges('TRUSTED_PROXIES', process.env.TRUSTED_PROXIES ?? '');
  const report = (line: string) => console.log(line);
  if (values.seats) {
    const { startSeats } = await import('../seats/serve.ts'); // a stack needs no Express here
    const server = await startSeats(values, { bind, port, scale, install }, report);
    process.on('uncaughtException', (err) => console.error(failure(err).text));
    return endOnce(() => server.close());
  }
  const tls = tlsOf(values, process.env, report);
  const faultInjection = faultInjectionSettings(bind, process.env);
  const wrongPort = values.compare.length > 0 ? await freePort(bind) : undefined;
  const ownPort = wrongPort === undefined ? port : port || (await freePort(bind));
  const COMPARE_PORTS = wrongPort === undefined ? '' : `${ownPort},${wrongPort}`;
  const CONTROL_SOCKET = controlSocket(name);
  const env = { ...process.env, ...faultInjection, COMPARE_PORTS, CONTROL_SOCKET };
  const listening = { bind, trustedProxies, ...(tls && { tls }) };
  const options = { ...listening, scale, redis, program, install, report };
  const stack = await Stack.start({ ...options, name, keepData: true, env, port: ownPort });
  const control = await startControlServer(name, stack);
  const stacks = [stack];
  endOnce(async () => {
    control.close();
    await Promise.all(stacks.map((one) => one.close()));
  });
  if (wrongPort !== undefined) {
    const wrongName = `${name.slice(0, 14)}-wrong`; // up to 20 characters
    // Two stacks with one name of the cookie would overwrite each other's session.
    const wrongEnv = { ...env, CONTROL_SOCKET: '', SESSION_COOKIE_NAME: '', ...wrong };
    const wrongOptions = { ...options, name: wrongName, env: wrongEnv, port: wrongPort };
    stacks.push(
      await Stack.start(wrongOptions).catch(async (err) => {
        await stack.close();
        throw err;
      }),
    );
    console.log(`compare ${stack.url}/dashboard/compare`);
  }
  // The end of the launcher would end the stack too.
  process.on('uncaughtException', (err) => console.error(failure(err).text));
  if (values.watch) restartOnChange(stack);
  console.log(`ready ${stack.url} instances=${scale}`);
  if (stack.publicUrl) console.log(`For the audience: ${stack.publicUrl}`);
  const { PRESENTER_KEY } = faultInjection;
  if (PRESENTER_KEY) console.log(`For the presenter: ${stack.url}/#key=${PRESENTER_KEY}`);
  console.log('Press Ctrl-C to stop. In a second terminal: npm run stack');
}

/**
 * Ends the stack at the first signal. A later one exits at once, and the watchdog kills the rest.
 * One Ctrl-C arrives several times, from the terminal and from npm, and counts once.
 */
function endOnce(close: () => Promise<void>): void {
  let since: number | undefined;
  const end = async () => {
    if (since !== undefined) {
      if (Date.now() - since > REPEAT_MS) process.exit(1);
      return;
    }
    since = Date.now();
    console.log('ending ...');
    await close();
    process.exit(0);
  };
  for (const signal of END_SIGNALS) process.on(signal, end);
}

/** npm run dev: restarts the services after a change. The others wait for the first one to start. */
function restartOnChange(stack: Stack): void {
  let timer: NodeJS.Timeout | undefined;
  let last = Promise.resolve();
  const restartAll = async () => {
    const [first, ...others] = [...stack.instances, stack.dashboard];
    await first?.restart();
    await Promise.all(others.map((other) => other.restart()));
    console.log('restarted the instances');
  };
  const onChange = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      last = last.then(restartAll).catch((err) => console.error(failure(err).text));
    }, QUIET_MS);
  };
  // Folder by folder: Node's recursive watch loses a file that an editor replaces.
  const services = join(ROOT, 'services');
  watch(services, onChange);
  for (const entry of readdirSync(services, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) watch(join(entry.parentPath, entry.name), onChange);
  }
}
