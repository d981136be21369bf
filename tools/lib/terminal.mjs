// @ts-check

/**
 * Whether a terminal shows the output of this process. If not, as under nohup, the end of the
 * terminal (SIGHUP) does not concern it. Node handles SIGHUP even if nohup has it ignored.
 */
export const hasTerminal = process.stdout.isTTY || process.stderr.isTTY;

if (!hasTerminal) process.on('SIGHUP', () => {});

/**
 * The signals that end a command in order.
 *
 * @type {NodeJS.Signals[]}
 */
export const END_SIGNALS = hasTerminal ? ['SIGINT', 'SIGTERM', 'SIGHUP'] : ['SIGINT', 'SIGTERM'];

/**
 * Removes the lines from the terminal that npm prints before a script: an empty line, the name of the
 * script, its command, and an empty line. npm has a setting for this (`loglevel=silent`), but that
 * one also hides errors, for example that a script does not exist.
 */
export function eraseBanner(env = process.env, out = process.stdout) {
  const { npm_lifecycle_event: event, npm_lifecycle_script: script = '' } = env;
  const isShown = env.npm_command && event && env.npm_config_loglevel !== 'silent';
  delete env.npm_command; // child processes do not remove these lines again
  if (!isShown || !out.isTTY || !out.columns || env.TERM === 'dumb') return;
  const command = script.slice(0, script.indexOf('.mjs') + '.mjs'.length);
  const lines = [
    `> ${env.npm_package_name}@${env.npm_package_version} ${event}`,
    `> ${[command, ...process.argv.slice(2)].join(' ')}`,
  ];
  // The width of other characters on the screen is not known.
  if (!lines.every((line) => /^[ -~]+$/.test(line))) return;
  const rows = lines.reduce((sum, line) => sum + Math.ceil(line.length / out.columns), 2);
  out.write(`\x1b[${rows}A\x1b[J`);
}
