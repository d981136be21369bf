import { join } from 'node:path';
import { expect } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { ROOT } from '../../tools/lib/root.mjs';
import { Running } from '../../tools/lib/running.ts';
import { send } from '../../tools/lib/visitor.ts';
import { freePort } from '../../tools/stack/port.ts';

/** A dashboard apart from any stack, without nginx in front of it. */
export class RunningDashboard extends Running {
  readonly port: number;

  constructor(port: number, env: NodeJS.ProcessEnv) {
    const program = join(ROOT, 'services/dashboard/main.ts');
    super(process.execPath, [program], { HOST: '127.0.0.1', PORT: String(port), ...env });
    this.port = port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }
}

/** Starts a dashboard. Resolves when it is ready. */
export async function runDashboard(env: NodeJS.ProcessEnv): Promise<RunningDashboard> {
  const dashboard = new RunningDashboard(await freePort('127.0.0.1'), env);
  await eventually(async () => {
    expect((await send(`${dashboard.url}/readyz`)).status).toBe(200);
  }, 20_000);
  return dashboard;
}
