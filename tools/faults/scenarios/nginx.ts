// An nginx that is given its configuration again and again, and a broken one.
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../lib/eventually.ts';
import type { Nginx } from '../../stack/nginx.ts';
import { type Scenario, Stage } from '../stage.ts';

/** Milliseconds from one reload to the next. */
const EVERY_MS = 500;
/** Milliseconds within which nginx says that it refuses a configuration. */
const REFUSE_MS = 5000;

/** nginx is reloaded all the time, and at last with a configuration that it must refuse. */
export const nginxReload: Scenario = {
  name: 'nginx-reload',
  should: 'fail nothing where nginx is reloaded, and go on where the configuration is broken',
  async run(options) {
    await using stage = await Stage.open(nginxReload.name, options);
    const { nginx, dashboard, instances } = stage.stack;
    await stage.startLoad();
    const until = performance.now() + stage.amount(10_000, 2500);
    let reloads = 0;
    while (performance.now() < until) {
      const next = delay(EVERY_MS);
      await nginx.reload();
      reloads += 1;
      await next;
    }
    stage.note(`${reloads} reloads`);

    const ports = { app: instances.map(({ port }) => port), dashboard: [dashboard.port] };
    nginx.write({ ...ports, app: [99_999] });
    const refused = await nginx.reload().then(
      () => false,
      () => true,
    );
    stage.require(refused, 'the stack did not refuse a broken configuration');
    stage.require(await refusesItself(nginx), 'nginx did not refuse a broken configuration');
    await stage.goOn(2000, 500);
    nginx.write(ports);
    await nginx.reload();
    await stage.goOn(1000, 300);
    await stage.stopLoad();
    stage.requireNoFailure();
    return await stage.settle();
  },
};

/** Past the look that the stack takes first, as a person with `nginx -s reload` would do it. */
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
