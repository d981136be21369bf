// Prometheus beside the stack: does it raise the right alert, and no other?
import { Observer } from '../../observe/observer.ts';
import { prometheusMissing } from '../../observe/programs.ts';
import type { Environment, Scenario } from '../environment.ts';

/** The rules wait for minutes. Here a minute is a second; no window is shorter than five seconds. */
const SPEED = 60;
/** Milliseconds in which an alert must fire. */
const FIRE_MS = 20_000;

/** Before the fault there is no alert. The error budget looks back, so its alerts stay. */
export const alerts: Scenario = {
  name: 'alerts',
  should: 'raise no alert in a good minute, and the right ones if Redis is killed',
  missing: prometheusMissing(),
  mayFail: ({ status, retryAfter }) => status === 503 && retryAfter !== undefined,
  async run(environment) {
    const { stack } = environment;
    const observed = { folder: stack.folder, redisUrl: stack.redis.url, ps: () => stack.ps() };
    const observer = await Observer.start(observed, { speed: SPEED });
    environment.resources.use(observer);
    await environment.startLoad();
    await environment.wait(60_000, 8000);
    await requireAlerts(environment, observer, []);

    await stack.redis.kill();
    environment.allowLossOfLastSecond();
    const burning = ['ErrorBudgetBurnsFast', 'ErrorBudgetBurnsSlowly'];
    await requireAlerts(environment, observer, [...burning, 'RedisUnreachable']);
    await stack.redis.start();
    await requireAlerts(environment, observer, burning); // they look back over hours
  },
};

/** Requires that exactly these alerts fire, soon. */
async function requireAlerts(environment: Environment, observer: Observer, expected: string[]) {
  const wanted = expected.sort().join(', ') || 'none';
  await environment.requireWithin(FIRE_MS, `alerts: ${wanted}`, async () => {
    const firing = (await observer.firing()).join(', ') || 'none';
    if (firing !== wanted) throw new Error(`firing: ${firing}`);
  });
  environment.note(`fired: ${wanted}`);
}
