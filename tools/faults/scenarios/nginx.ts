import { eventually } from '../../lib/eventually.ts';
import type { Nginx } from '../../stack/nginx.ts';
import type { Scenario } from '../environment.ts';

/** Milliseconds from one reload to the next. */
const EVERY_MS = 500;
/** Milliseconds in which nginx must log that it refuses a configuration. */
const REFUSE_MS = 5000;

/** nginx is reloaded many times, and then with a configuration that it must refuse. */
export const nginxReload: Scenario = {
  name: 'nginx-reload',
  should: 'fail nothing if nginx is reloaded, and continue if its configuration is broken',
  async run(environment) {
    const { nginx, dashboard, instances } = environment.stack;
    await environment.startLoad();
    const totalMs = environment.amount(10_000, 2500);
    const reloads = await environment.repeat(totalMs, EVERY_MS, () => nginx.reload());
    environment.note(`${reloads} reloads`);

    const ports = { app: instances.map(({ port }) => port), dashboard: [dashboard.port] };
    nginx.write({ ...ports, app: [99_999] });
    const refused = await nginx.reload().then(
      () => false,
      () => true,
    );
    environment.require(refused, 'the stack did not refuse a broken configuration');
    environment.require(await refusesItself(nginx), 'nginx did not refuse a broken configuration');
    await environment.wait(2000, 500);
    nginx.write(ports);
    await nginx.reload();
    await environment.wait(1000, 300);
  },
};

/** Skips the check of the stack, as `nginx -s reload` does. */
async function refusesItself(nginx: Nginx): Promise<boolean> {
  const lines: string[] = [];
  const follow = (line: string) => lines.push(line);
  nginx.on('line', follow);
  const { pid } = await nginx.status();
  if (pid) process.kill(pid, 'SIGHUP');
  try {
    await eventually(() => {
      if (!lines.some((line) => line.includes('[emerg]'))) throw new Error('not yet');
    }, REFUSE_MS);
    return true;
  } catch {
    return false;
  } finally {
    nginx.off('line', follow);
  }
}
