import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { between, missingFirewall, partition } from '../../tools/faults/partition.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import { ROOT } from '../../tools/lib/root.mjs';
import { Running } from '../../tools/lib/running.ts';

/** Milliseconds; a packet on loopback takes less than one. */
const LOST_MS = 300;

const reason = missingFirewall ? ` (skipped: ${missingFirewall})` : '';
describe.skipIf(missingFirewall)(`partition${reason}`, () => {
  const accepted: Socket[] = [];
  let server: Server;
  let port: number;
  beforeAll(async () => {
    server = createServer((socket) => accepted.push(socket.on('error', () => {})));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => {
    for (const socket of accepted) socket.destroy();
    server.close();
  });

  const happens = (socket: Socket, event: string) =>
    once(socket, event, { signal: AbortSignal.timeout(LOST_MS) }).then(
      () => true,
      () => false,
    );
  async function reaches(localAddress: string): Promise<boolean> {
    const socket = connect({ port, host: '127.0.0.1', localAddress });
    const isConnected = await happens(socket, 'connect');
    socket.destroy();
    return isConnected;
  }
  const rules = () => {
    const { stdout } = spawnSync('iptables', ['--list-rules', 'INPUT'], { encoding: 'utf8' });
    return stdout.split('\n').filter((line) => line.includes(`port ${port} `));
  };

  it('should separate the clients of one address from a port until it is disposed', async () => {
    const client = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.1' });
    await once(client, 'connect');
    const [peer] = await eventually(() => {
      expect(accepted).toHaveLength(1);
      return accepted as [Socket];
    });
    {
      await using _ = await partition(between('127.0.0.1', [{ port }]));
      expect(await reaches('127.0.0.1')).toBe(false);
      expect(await reaches('127.0.0.2')).toBe(true);
      peer.write('to the client');
      expect(await happens(client, 'data')).toBe(false);
      client.write('to the server');
      expect(await happens(peer, 'data')).toBe(false);
    }
    expect(rules()).toEqual([]);
    await eventually(() => expect(client.bytesRead).toBe('to the client'.length)); // sent again
    expect(await reaches('127.0.0.1')).toBe(true);
    client.destroy();
  });

  it('should leave no rule if one of them cannot be made', async () => {
    const wrong = partition([...between('127.0.0.1', [{ port }]), '--dport none']);
    await expect(wrong).rejects.toThrow("invalid port/service `none'");
    expect(rules()).toEqual([]);
  });

  it.each(['SIGINT', 'SIGKILL'] as const)('should end with its process: %s', async (signal) => {
    const { href } = new URL(`file://${join(ROOT, 'tools/faults/partition.ts')}`);
    const program = `
      const { between, partition } = await import('${href}');
      await partition(between('127.0.0.1', [{ port: ${port} }]));
      console.log('made');
      setInterval(() => {}, 1000);`;
    await using running = new Running(process.execPath, ['--input-type=module', '-e', program]);
    await eventually(() => expect(running.stdout).toBe('made\n'));
    expect(rules()).toHaveLength(2);
    running.child.kill(signal);
    expect((await running.ended).signal).toBe(signal);
    await eventually(() => expect(rules()).toEqual([]));
  });
});
