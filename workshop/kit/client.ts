import { send } from '../../tools/lib/visitor.ts';
import type { Deployment } from './environment.ts';

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
