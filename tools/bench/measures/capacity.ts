import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { appliedKeys } from '../../../services/shared/session/keys.ts';
import { COSTS } from '../../capacity/costs.ts';
import { inRedis } from '../../lib/redis-client.ts';
import { Visitor } from '../../lib/visitor.ts';
import { Stack } from '../../stack/stack.ts';
import { type Request, saturate } from '../autocannon.ts';
import { cpuUse } from '../cpu-use.ts';
import { type Figure, figure } from './figure.ts';
import { measureSessionBytes } from './session-bytes.ts';
import { copySession, onlySession, signedCookie } from './stored-sessions.ts';

const ROUNDS = 3;
const SECONDS = 2;
const WARM_UP_SECONDS = 5;
/** Requests in progress, so that the only instance is always busy. */
const CONNECTIONS = 32;
/** Sessions for each round: more than an instance answers in that time. */
const SESSIONS = 30_000;
/** Visitors who come again and again, and make fewer views than an instance allows in a minute. */
const REGULARS = 64;
/** The largest factor between a measured cost and the model. */
const FACTOR = 2;
const IDLE_INSTANCES = 8;
const IDLE_MS = 5000;

/** Measures each cost of the model in tools/capacity. A cost that is far from the model fails. */
export async function measureCapacity(): Promise<Figure[]> {
  const isStream = ({ name }: Figure) => name.endsWith('replica stream');
  return [
    ...(await measureViews('single')).filter((one) => !isStream(one)),
    ...(await measureViews('sentinel')).filter(isStream),
    ...(await measureIdle()),
    ...(await measureSessionBytes()),
  ].flatMap(besideModel);
}

/** Adds the range that the model allows. Figures that are not in the model are left out. */
export function besideModel(measured: Figure): Figure[] {
  const cost = Object.entries(COSTS).find(([name]) => name === measured.name)?.[1];
  if (!cost) return [];
  const target = { atLeast: cost.value / FACTOR, atMost: cost.value * FACTOR };
  const ratio = (measured.value / cost.value).toFixed(2);
  const note = `${ratio} times the model, which says ${cost.value} ${cost.unit}`;
  return [{ ...measured, target, note, isRequired: true }];
}

/** Measures what a view costs: the first one of its visitor in a minute, and the next ones. */
async function measureViews(redis: 'single' | 'sentinel'): Promise<Figure[]> {
  const secret = randomBytes(32).toString('base64url');
  const env = { ...process.env, SESSION_SECRET: secret };
  await using stack = await Stack.start({ scale: 1, redis, env });
  await new Visitor(stack.url).view();
  const ids = await inRedis(stack.redis.url, async (client) => {
    await client.configSet('auto-aof-rewrite-percentage', '0'); // it would count as work of a view
    return copySession(client, await onlySession(client), REGULARS + ROUNDS * SESSIONS);
  });
  const cookies = ids.map((id) => signedCookie(id, secret));
  const regulars = cookies.splice(0, REGULARS);
  await costsOfViews(stack, regulars, WARM_UP_SECONDS);

  const first: Costs[] = [];
  const next: Costs[] = [];
  while (first.length < ROUNDS) {
    first.push(await costsOfViews(stack, cookies.splice(0, SESSIONS), SECONDS));
    next.push(await costsOfViews(stack, regulars, SECONDS));
  }
  return [
    ...figuresOf('first view', first),
    figure('first view, idempotency key', 'bytes', rounded(first, 'memory')),
    figure('first view, to the client', 'bytes', [await replyBytes(stack, regulars[0] ?? '')]),
    ...figuresOf('next view', next),
    figure('next view, idempotency key', 'bytes', [await keyBytes(stack, ids[0] ?? '')]),
  ];
}

/** What a view costs, in microseconds of CPU time and in bytes. */
interface Costs {
  instance: number;
  nginx: number;
  redis: number;
  appendOnly: number;
  stream: number;
  received: number;
  sent: number;
  memory: number;
}

async function costsOfViews(stack: Stack, cookies: string[], seconds: number): Promise<Costs> {
  const requests: Request[] = cookies.map((cookie) => ({ path: '/', cookie }));
  const before = await countersOf(stack);
  const load = await saturate(stack.url, CONNECTIONS, seconds, requests);
  const after = await countersOf(stack);
  const views = load.perSecond * load.seconds;
  const each = Object.entries(after).map(([name, value]) => [
    name,
    (value - before[name as keyof Costs]) / views,
  ]);
  return Object.fromEntries(each);
}

/** What has been used so far. */
async function countersOf(stack: Stack): Promise<Costs> {
  const cpu = await cpuUse(stack);
  if (!cpu) throw new Error('the CPU time of a process can be measured on Linux only');
  return inRedis(stack.redis.url, async (client) => {
    const info = await client.info();
    const field = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1]);
    return {
      ...{ instance: cpu.instances, nginx: cpu.nginx },
      redis: (field('used_cpu_user') + field('used_cpu_sys')) * 1e6,
      appendOnly: field('aof_current_size'),
      stream: field('master_repl_offset'),
      received: field('total_net_input_bytes'),
      sent: field('total_net_output_bytes'),
      memory: field('used_memory'),
    };
  });
}

function figuresOf(view: string, costs: Costs[]): Figure[] {
  const of = (what: string, unit: string, part: keyof Costs) =>
    figure(`${view}, ${what}`, unit, rounded(costs, part));
  return [
    of('CPU of the instance', 'µs', 'instance'),
    of('CPU of nginx', 'µs', 'nginx'),
    of('CPU of Redis', 'µs', 'redis'),
    of('append-only file', 'bytes', 'appendOnly'),
    of('replica stream', 'bytes', 'stream'),
    of('to Redis', 'bytes', 'received'),
    of('from Redis', 'bytes', 'sent'),
  ];
}

function rounded(costs: Costs[], part: keyof Costs): number[] {
  return costs.map((cost) => Math.round(cost[part]));
}

/** Bytes of each idempotency key of a visitor who has many. */
async function keyBytes({ redis }: Stack, id: string): Promise<number> {
  const [latest] = appliedKeys(id);
  return inRedis(redis.url, async (client) => {
    const bytes = (await client.memoryUsage(latest, { SAMPLES: 0 })) ?? NaN;
    return Math.round(bytes / (await client.hLen(latest)));
  });
}

/** The bytes of a whole reply of nginx to `GET /`. */
async function replyBytes({ nginx }: Stack, cookie: string): Promise<number> {
  const socket = connect(nginx.port, nginx.bind);
  const lines = ['GET / HTTP/1.1', 'Host: localhost', `Cookie: ${cookie}`, 'Connection: close'];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  socket.resume();
  await once(socket, 'close');
  return socket.bytesRead;
}

/** Measures what an instance costs that answers no requests. */
async function measureIdle(): Promise<Figure[]> {
  await using stack = await Stack.start({ scale: 1 });
  const idle = async () => {
    await delay(IDLE_MS);
    const before = await countersOf(stack);
    await delay(IDLE_MS);
    const after = await countersOf(stack);
    const perSecond = (part: 'instance' | 'redis') => (after[part] - before[part]) / IDLE_MS;
    return { instance: perSecond('instance'), redis: perSecond('redis') };
  };
  const one = await idle();
  await stack.scale(IDLE_INSTANCES);
  const all = await idle();
  const redis = (all.redis - one.redis) / (IDLE_INSTANCES - 1);
  return [
    figure('idle instance, own CPU', 'ms/s', [all.instance / IDLE_INSTANCES]),
    figure('idle instance, CPU of Redis', 'ms/s', [redis]),
  ];
}
