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

/**
 * Hold the results of changes by their idempotency keys. The visitor keeps them through a login, so
 * that they have one limit.
 */
export function appliedKeys(id: string): [latest: string, earlier: string] {
  const latest = `applied:{${id.slice(0, TAG_LENGTH)}}`;
  return [latest, `${latest}:earlier`];
}

/** The field of such a result. A session that follows another one of the visitor has other fields. */
export function appliedField(id: string, idempotencyKey: string | undefined): string {
  return idempotencyKey ? `${id.slice(TAG_LENGTH, 2 * TAG_LENGTH)}${idempotencyKey}` : '';
}

/** An id with its tag in braces, as it is in all keys of the session. */
export function taggedId(id: string): string {
  return `{${id.slice(0, TAG_LENGTH)}}${id.slice(TAG_LENGTH)}`;
}
