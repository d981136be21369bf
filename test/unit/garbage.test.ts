import { Agent, get } from 'node:http';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { HttpServer } from '../../services/shared/process/server.ts';
import { range } from '../support/proofs.ts';

const ROUNDS = 200;
const AT_ONCE = 25;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options: { type: 'minor' | 'major' }) => void;

function oldBytes(): number {
  const spaces = getHeapSpaceStatistics();
  return spaces.find(({ space_name: name }) => name === 'old_space')?.space_used_size ?? NaN;
}

// Memory that survives collections of the young generation is collected later, together with all else,
// at many times the cost. A Set of all requests in progress kept a third of the dead ones alive.
it('should leave nothing of a request in the old generation', async () => {
  const server = new HttpServer((_req, res) => {
    setImmediate(() => res.end('ok'));
  });
  const port = await server.listen(0, '127.0.0.1');
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const ask = () =>
    new Promise((resolve, reject) => {
      get({ port, agent }, (res) => res.resume().on('end', resolve)).on('error', reject);
    });
  const askAll = async () => {
    for (const _ of range(1, ROUNDS)) {
      await Promise.all(range(1, AT_ONCE).map(ask));
      collect({ type: 'minor' });
    }
  };
  await askAll();
  collect({ type: 'major' });
  const before = oldBytes();
  await askAll();
  const perRequest = (oldBytes() - before) / (ROUNDS * AT_ONCE);
  agent.destroy();
  await server.drain(1000);
  expect(perRequest).toBeLessThan(200);
});
