// @ts-check
// npm run offline: all that a room without a network needs, in one file.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { pack } from './pack.mjs';
import { PLATFORMS } from './packages.mjs';
import { ROOT } from './programs.mjs';
import { runTask, UsageError } from './task.mjs';
import { unpack } from './unpack.mjs';

const USAGE = `npm run offline -- pack FILE      packs source, npm packages and images into FILE
    --for linux-x64,darwin-arm64  for these machines only; of ${PLATFORMS.join(', ')}
    --without-images              for those who run it natively; smaller
npm run offline -- unpack [FILE]  installs from FILE (../shared-state.tar), asking no registry
Without a clone: tar -xf FILE shared-state && cd shared-state && npm run offline -- unpack ../FILE`;

await runTask(USAGE, async (words) => {
  const { values, positionals } = parseArgs({
    args: words,
    options: {
      for: { type: 'string' },
      'without-images': { type: 'boolean', default: false },
    },
    allowPositionals: true,
  });
  const [command, file, ...rest] = positionals;
  if (rest.length > 0) throw new UsageError(`too many words: ${rest.join(' ')}`);
  if (command === 'pack') {
    if (!file) throw new UsageError('pack wants the name of a file');
    const platforms = values.for === undefined ? undefined : readPlatforms(values.for);
    await pack(here(file), { platforms, withImages: !values['without-images'] }, console.log);
  } else if (command === 'unpack') {
    await unpack(file ? here(file) : join(ROOT, '../shared-state.tar'), ROOT, console.log);
  } else {
    throw new UsageError(command ? `there is no "${command}" here` : 'pack or unpack?');
  }
});

/**
 * A path as typed: npm runs this in the folder of the project, wherever it was called.
 *
 * @param {string} file
 */
function here(file) {
  const { INIT_CWD } = process.env;
  return resolve(INIT_CWD && existsSync(INIT_CWD) ? INIT_CWD : '.', file);
}

/** @param {string} text */
function readPlatforms(text) {
  const platforms = text.split(',');
  const unknown = platforms.find((platform) => !PLATFORMS.includes(platform));
  if (unknown === undefined) return platforms;
  throw new UsageError(`--for ${unknown}: only ${PLATFORMS.join(', ')}`);
}
