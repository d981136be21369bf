/**
 * The keys of a session: the session itself, and the state beside it that atomic steps change. The
 * braces keep all of them in one slot of a Redis Cluster.
 * @see https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
 */
export function sessionKeys(
  id: string,
): [session: string, views: string, cart: string, profile: string] {
  const session = `sess:${id}`;
  return [session, `views:{${session}}`, `cart:{${session}}`, `profile:{${session}}`];
}

/** Exists for a few seconds after a login has replaced the session. */
export function replacedKey(id: string): string {
  return `replaced:{sess:${id}}`;
}

/** Holds the result of a change that was applied under an idempotency key. */
export function appliedKey(id: string, idempotencyKey = ''): string {
  return `applied:{sess:${id}}:${idempotencyKey}`;
}
