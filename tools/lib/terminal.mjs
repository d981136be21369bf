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
