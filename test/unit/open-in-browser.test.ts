import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { ROOT } from '../../tools/lib/root.mjs';
import { Running } from '../../tools/lib/running.ts';

it('should do nothing if there is no browser', async () => {
  const file = pathToFileURL(`${ROOT}/tools/lib/open-in-browser.ts`).href;
  const program = `(await import('${file}')).openInBrowser('http://localhost/')`;
  const args = ['--input-type=module', '--eval', program];
  await using running = new Running(process.execPath, args, { BROWSER: '/no/such/program' });
  expect(await running.ended).toMatchObject({ code: 0, stdout: '', stderr: '' });
});
