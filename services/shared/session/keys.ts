/** The first characters of a session id. A login keeps them, and replaces the other ones. */
export const TAG_LENGTH = 8;

/**
 * The keys of a session: the session itself, and the state beside it that atomic steps change. The
 * braces keep all of them in one slot of a Redis Cluster, also those of the session after a login.
 * @see https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
 */
export function sessionKeys(
  id: string,
): [session: string, views: string, cart: string, profile: string] {
  const tagged = taggedId(id);
  return [`sess:${tagged}`, `views:${tagged}`, `cart:${tagged}`, `profile:${tagged}`];
}

/** Exists for a few seconds after a login has replaced the session. */
export function replacedKey(id: string): string {
  return `replaced:${taggedId(id)}`;
}

/** Holds the result of a change that was applied under an idempotency key. */
export function appliedKey(id: string, idempotencyKey = ''): string {
  return `applied:${taggedId(id)}:${idempotencyKey}`;
}

/** An id with its tag in braces, as it is in all keys of the session. */
export function taggedId(id: string): string {
  return `{${id.slice(0, TAG_LENGTH)}}${id.slice(TAG_LENGTH)}`;
}
