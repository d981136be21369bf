import { type Reply, send, type Visitor } from '../../tools/lib/visitor.ts';
import type { Deployment } from './environment.ts';

/** Sends JSON. Throws if the status is not 2xx. */
export async function postJson(visitor: Visitor, path: string, body: object): Promise<Reply> {
  const headers = { 'content-type': 'application/json' };
  const reply = await visitor.send(path, { method: 'POST', headers, body: JSON.stringify(body) });
  if (reply.status >= 300) throw new Error(`POST ${path} answered ${reply.status}: ${reply.body}`);
  return reply;
}

/** The user that the application sees behind a cookie: a name, or the refusal. */
export async function userOf({ url }: Deployment, cookie: string, path = '/me'): Promise<string> {
  const { status, body } = await send(url + path, { headers: { cookie } });
  return status === 200 ? JSON.parse(body).name : `not logged in (${status})`;
}

/** A field of the INFO command of Redis. */
export async function redisInfo(deployment: Deployment, field: string): Promise<string> {
  const info = await deployment.redis('INFO', 'everything');
  return new RegExp(`^${field}:(\\S+)`, 'm').exec(info)?.[1] ?? '';
}
