// @ts-check
// npm run offline: everything for a place without a network, in one file.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { UsageError } from '../lib/errors.mjs';
import { PLATFORMS } from '../lib/packages.mjs';
import { ROOT } from '../lib/root.mjs';
import { typedPath } from '../lib/typed-path.mjs';
import { pack } from './pack.mjs';
import { runTask } from './task.mjs';
import { unpack } from './unpack.mjs';

const USAGE = `npm run offline -- pack FILE      packs source, npm packages, Node and images into FILE
    --for linux-x64,darwin-arm64  for these platforms only; of ${PLATFORMS.join(', ')}
    --with-tests                  with the packages that npm test needs; much larger
    --without-images              for machines without Docker; smaller
npm run offline -- unpack [FILE]  installs from FILE (../shared-state.tar) without a network
Without a clone: tar -xf FILE shared-state && cd shared-state && npm run offline -- unpack ../FILE`;

await runTask(USAGE, async (args) => {
  const { values, positionals } = parseArgs({
    args,
    options: {
      for: { type: 'string', default: PLATFORMS.join() },
      'with-tests': { type: 'boolean', default: false },
      'without-images': { type: 'boolean', default: false },
    },
    allowPositionals: true,
  });
  const [command, file, ...rest] = positionals;
  if (rest.length > 0) throw new UsageError(`Too many arguments: ${rest.join(' ')}`);
  if (command === 'pack') {
    if (!file) throw new UsageError('`pack` expects the name of a file.');
    const platforms = values.for.split(',');
    const unknown = platforms.find((platform) => !PLATFORMS.includes(platform));
    if (unknown !== undefined) {
      throw new UsageError(`\`--for\` expects ${PLATFORMS.join(', ')}, not ${unknown}.`);
    }
    const options = {
      platforms,
      withTests: values['with-tests'],
      withImages: !values['without-images'],
    };
    await pack(typedPath(file), options, console.log);
  } else if (command === 'unpack') {
    await unpack(file ? typedPath(file) : join(ROOT, '../shared-state.tar'), ROOT, console.log);
  } else {
    throw new UsageError('The command is either `pack` or `unpack`.');
  }
});
