import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { send } from '../../tools/lib/visitor.ts';
import { stackFolder } from '../../tools/stack/folder.ts';
import { describeInBrowser, press, useBoards } from '../support/board.ts';
import { newName, npmStart, ready } from '../support/npm.ts';

describeInBrowser('npm start -- --compare', () => {
  const { open } = useBoards();

  it('should send the same clicks to a wrong and to a right stack', async () => {
    const name = newName();
    const words = ['--port', '0', '--name', name, '--scale', '2'];
    await using running = npmStart([...words, '--compare', 'SESSION_STORE=memory']);
    const url = await ready(running, 60_000); // of two stacks
    expect(running.stdout).toContain(`compare ${url}/dashboard/compare\n`);

    const page = await open(url, { breaks: true });
    await page.goto(`${url}/dashboard/compare`);
    const shown = (frame: string, id: string) =>
      page.frameLocator(frame).locator(id).textContent({ timeout: 20_000 });
    await eventually(
      async () => expect(await shown('#right', '#way')).toBe('the right way'),
      20_000,
    );
    await eventually(async () => {
      expect(await shown('#wrong', '#way')).toBe('SESSION_STORE=memory');
    }, 20_000);
    await press(page, 'Visit both ×100');
    await eventually(async () => {
      expect(await shown('#right', '#trail-summary')).toBe(
        '100 sent, 100 counted, none lost, none counted twice, by 2 instances',
      );
      expect(await shown('#wrong', '#trail-summary')).toMatch(/[1-9]\d* counted twice/);
    }, 20_000);
    // The sessions do not overwrite each other: the one of the right stack goes on.
    await press(page, 'Visit both');
    await eventually(async () => expect(await shown('#right', '#views')).toBe('Views: 103'));

    const { 'content-security-policy': policy = '' } = (await send(`${url}/dashboard`)).headers;
    expect(policy).toContain(`frame-ancestors ${url}`);
    running.child.kill('SIGTERM');
    expect((await running.ended).code).toBe(0);
    for (const one of [name, `${name}-wrong`]) expect(existsSync(stackFolder(one))).toBe(false);
  }, 120_000);

  it('should not show the page in a frame without it', async () => {
    await using running = npmStart(['--port', '0', '--name', newName(), '--scale', '1']);
    const url = await ready(running);
    const { headers } = await send(`${url}/dashboard`);
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect((await send(`${url}/dashboard/compare`)).status).toBe(404);
  });

  it('should expect a setting', async () => {
    await using running = npmStart(['--port', '0', '--name', newName(), '--compare', 'memory']);
    const { code, stderr } = await running.ended;
    expect(code).toBe(2);
    expect(stderr).toBe('`--compare` expects a setting, for example `SESSION_STORE=memory`.\n');
  });
});
