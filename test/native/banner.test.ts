import { describe, expect, it } from 'vitest';
import { Running } from '../../tools/lib/running.ts';

const COLUMNS = 60;

/** The lines on a terminal after `before` was printed and a command was run. */
async function linesAfter(command: string): Promise<string[]> {
  const words = ['-qec', `stty cols ${COLUMNS}; echo before; ${command}`, '/dev/null'];
  const env = { TERM: 'xterm', npm_config_loglevel: 'notice' }; // the tests may run without
  await using terminal = new Running('script', words, env);
  const { stdout } = await terminal.ended;
  const lines: string[] = [];
  for (const line of stdout.replaceAll('\r\n', '\n').split('\n')) {
    const [before = '', erased] = line.split('\x1b[J');
    const [, up] = /\[(\d+)A$/.exec(before) ?? [];
    if (up && erased !== undefined) lines.splice(-Number(up));
    // npm's spinner writes a character and removes it again.
    const shown = (erased ?? line).split('\x1b[0K').at(-1) ?? '';
    for (let at = 0; at === 0 || at < shown.length; at += COLUMNS) {
      lines.push(shown.slice(at, at + COLUMNS));
    }
  }
  return lines;
}

const canRun = process.platform === 'linux'; // `script` has other options elsewhere

describe.skipIf(!canRun)('a command of this project on a terminal', () => {
  const usage = 'npm run offline -- pack FILE      packs source, npm packages';

  it.each([
    ['short lines', 'npm run offline -- --help'],
    ['wrapped lines', `npm run offline -- --help ${'x'.repeat(COLUMNS)}`],
  ])('should show its own lines only: %s', async (_, command) => {
    expect((await linesAfter(command)).slice(0, 2)).toEqual(['before', usage]);
  });

  it('should leave all lines in place if npm printed none', async () => {
    expect((await linesAfter('npm run --silent offline -- --help')).slice(0, 2)).toEqual([
      'before',
      usage,
    ]);
  });

  it('should not hide that a script does not exist', async () => {
    expect((await linesAfter('npm run lessson')).join('\n')).toContain('Missing script');
  });
});
