import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tools/lib/eventually.ts';
import { Visitor } from '../../tools/lib/visitor.ts';
import { ComposeStack, docker, dockerMissing, UP_MS } from '../support/docker.ts';
import { range, viewUntilAnswered } from '../support/proofs.ts';

const missing = dockerMissing();
const title = 'deploy/sentinel/compose.yml';
/** Milliseconds in which a change succeeds again after the primary died. */
const BACK_MS = 10_000;

describe.skipIf(missing)(`${title}${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let stack: ComposeStack;
  let folder: string;
  beforeAll(async () => {
    // As on bad wifi: no DNS server of the machine answers. Sentinels stop to ask for a name.
    const names = ['app', 'dashboard', 'nginx', 'redis', 'redis-2', 'redis-3'];
    const sentinels = range(1, 3).map((number) => `sentinel-${number}`);
    const services = [...names, ...sentinels].map((name) => [name, { dns: ['192.0.2.1'] }]);
    folder = mkdtempSync(join(tmpdir(), 'shared-state-dns-'));
    const override = join(folder, 'override.json');
    writeFileSync(override, JSON.stringify({ services: Object.fromEntries(services) }));
    stack = await ComposeStack.start({}, ['deploy/sentinel/compose.yml', override]);
  }, UP_MS);
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  }, UP_MS);

  const redis = (service: string, ...words: string[]) =>
    docker(['exec', `${stack.project}-${service}`, 'redis-cli', ...words]);
  const roleOf = (service: string) => redis(service, 'ROLE').split('\n')[0];

  it('should count on after the primary died, with nothing lost and nothing counted twice', async () => {
    const visitor = new Visitor(stack.url);
    const view = () => viewUntilAnswered(visitor, BACK_MS);
    const seen: number[] = [];
    for (const _ of range(1, 20)) seen.push(await view());
    expect([roleOf('redis'), roleOf('redis-2'), roleOf('redis-3')]).toEqual([
      'master',
      'slave',
      'slave',
    ]);
    docker(['kill', `${stack.project}-redis`]);
    for (const _ of range(1, 20)) seen.push(await view());
    expect(seen).toEqual(range(1, 40));
    expect([roleOf('redis-2'), roleOf('redis-3')].sort()).toEqual(['master', 'slave']);

    docker(['start', `${stack.project}-redis`]);
    await eventually(() => expect(roleOf('redis')).toBe('slave'), 40_000);
    expect(await view()).toBe(41);
  }, 120_000);
});
