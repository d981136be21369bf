/**
 * The keys of a session: the session itself, and what is kept beside it so that it can be changed
 * in one step. The braces keep all of them in one slot of a Redis Cluster.
 * @see https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
 */
export function keysOf(
  id: string,
): [session: string, views: string, cart: string, profile: string] {
  const session = `sess:${id}`;
  return [session, `views:{${session}}`, `cart:{${session}}`, `profile:{${session}}`];
}

/** The key that tells for a moment that a session was replaced by another one, as a login does. */
export function replacedKeyOf(id: string): string {
  return `replaced:{sess:${id}}`;
}

/** The key that tells for a while that a change of a session was applied, and with what result. */
export function seenKeyOf(id: string, changeId = ''): string {
  return `seen:{sess:${id}}:${changeId}`;
}
