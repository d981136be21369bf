// The step before `npm start`, `npm test` and the others: installs the packages where they are
// missing or older than the lock file. Plain JavaScript for whichever Node is there; what comes
// after it runs on the Node that package.json names.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';

const root = new URL('../../', import.meta.url);
const modified = (path) => {
  const file = new URL(path, root);
  return existsSync(file) ? statSync(file).mtimeMs : 0;
};
const giveUp = (message) => {
  console.error(message);
  process.exit(1);
};

// npm writes this file last, so it is missing after an install that was broken off.
if (modified('node_modules/.package-lock.json') < modified('package-lock.json')) {
  console.error('installing packages ...');
  const npm = [
    'ci',
    '--include=dev',
    '--include=optional',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ];
  const { status } = spawnSync('npm', npm, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) giveUp('The packages could not be installed: see above.');
}
const version = String(spawnSync('node', ['--version']).stdout);
if (Number(/^v(\d+)/.exec(version)?.[1]) < 24) {
  giveUp(
    'Node 24 is missing: the package "node" has none for this system, or npm did not run its ' +
      'install script (npm config get ignore-scripts). Install Node 24 or later, and begin again.',
  );
}
