// npm run mutants: breaks a copy of the code in known ways, one at a time, and shows which test
// notices. A mutant that no test notices is a hole in the tests.
import { execFileSync } from 'node:child_process';
import {
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { failure, StackError } from '../lib/errors.mjs';
import { chooseByName } from '../lib/options.ts';
import { ROOT } from '../lib/root.mjs';
import { Running } from '../lib/running.ts';
import { mutants } from './list.ts';
import { applyMutant, type Mutant } from './mutants.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'shared-state-mutants-')));
process.once('SIGINT', () => process.exit(130));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
try {
  const { values } = parseArgs({
    options: { only: { type: 'string', multiple: true, default: [] } },
  });
  const chosen = chooseByName(values.only, mutants);
  copyTree();
  console.log('first, all of these tests on the code as it is');
  const before = await firstFailure([...new Set(chosen.map(({ test }) => test))]);
  if (before) throw new StackError(`The tests already fail without a mutant: ${before}`);
  const survivors = [];
  for (const mutant of chosen) {
    const noticedBy = await attempt(mutant);
    if (!noticedBy) survivors.push(mutant);
    console.log(`${mutant.name}: ${noticedBy ? `noticed by "${noticedBy}"` : 'NOT NOTICED'}`);
  }
  console.log(`\n${chosen.length - survivors.length} of ${chosen.length} mutants were noticed`);
  process.exit(survivors.length > 0 ? 1 : 0);
} catch (err) {
  const { text, exitCode } = failure(err);
  console.error(text);
  process.exit(exitCode);
}

/** Copies all files that git tracks or does not ignore, to a repository, since tests ask git. */
function copyTree(): void {
  const copy = `git ls-files -z --cached --others --exclude-standard |
    tar --null -T - -cf - | tar -xf - -C "$0"`;
  execFileSync('bash', ['-e', '-o', 'pipefail', '-c', copy, folder], { cwd: ROOT });
  execFileSync('git', ['init', '--quiet'], { cwd: folder });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
}

/** Resolves to the name of the test that noticed a mutant. */
async function attempt(mutant: Mutant): Promise<string | undefined> {
  const file = join(folder, mutant.file);
  const original = readFileSync(file, 'utf8');
  writeFileSync(file, applyMutant(mutant, original));
  try {
    return await firstFailure([mutant.test], mutant.only);
  } finally {
    writeFileSync(file, original);
  }
}

/** Runs test files of the copy. Resolves to the first failure; `undefined` if all tests passed. */
async function firstFailure(files: string[], only = ''): Promise<string | undefined> {
  const report = join(folder, 'report.json');
  rmSync(report, { force: true });
  const vitest = join(folder, 'node_modules/vitest/vitest.mjs');
  const args = ['run', '--config', 'test/vitest.config.ts', '--bail', '1', '-t', only];
  const output = ['--reporter', 'json', '--outputFile', report];
  await using running = new Running(
    process.execPath,
    [vitest, ...args, ...output, ...files],
    {},
    folder,
  );
  const { stderr } = await running.ended;
  const { success, numPassedTests, testResults } = readReport(report, stderr);
  const failed = testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .find(({ status }) => status === 'failed');
  if (failed) return failed.fullName;
  if (!success) return testResults.find(({ message }) => message)?.message ?? 'an unhandled error';
  if (numPassedTests === 0) throw new StackError(`No test ran of ${files.join(' ')} "${only}".`);
  return undefined;
}

/** The part of vitest's JSON report that is read here. */
interface Report {
  success: boolean;
  numPassedTests: number;
  testResults: { message: string; assertionResults: { status: string; fullName: string }[] }[];
}

function readReport(file: string, stderr: string): Report {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    throw new StackError(`vitest wrote no report: ${stderr.trim().split('\n').at(-1)}`);
  }
}
