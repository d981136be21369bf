import { describe, expect, it } from 'vitest';
import { parseRedisUrl } from '../../services/shared/process/redis-url.ts';

describe('parseRedisUrl', () => {
  it('should leave the URL of one Redis as it is', () => {
    const url = 'rediss://me:secret@host:6380/2';
    expect(parseRedisUrl(url)).toEqual({ kind: 'single', url });
  });

  it('should find Sentinels with their default port, and the URL of a Redis that they name', () => {
    const address = parseRedisUrl('redis+sentinel://me:a%25b@one,two:5,[::1]/main/2');
    expect(address).toMatchObject({
      kind: 'sentinel',
      name: 'main',
      sentinels: [
        'redis://me:a%25b@one:26379',
        'redis://me:a%25b@two:5',
        'redis://me:a%25b@[::1]:26379',
      ],
    });
    if (address.kind !== 'sentinel') throw new Error(address.kind);
    expect(address.urlOf('10.0.0.1', '6379')).toBe('redis://me:a%25b@10.0.0.1:6379/2');
    expect(address.urlOf('::1', '6379')).toBe('redis://me:a%25b@[::1]:6379/2');
  });

  it('should use TLS for Sentinels and Redis, and no database unless there is one', () => {
    const address = parseRedisUrl('rediss+sentinel://one/main');
    if (address.kind !== 'sentinel') throw new Error(address.kind);
    expect(address.sentinels).toEqual(['rediss://one:26379']);
    expect(address.urlOf('two', '6379')).toBe('rediss://two:6379');
  });

  it('should find nodes of a Cluster with their default port, and the URL of any node', () => {
    const address = parseRedisUrl('rediss+cluster://me:a%25b@one,two:5,[::1]');
    expect(address).toMatchObject({
      kind: 'cluster',
      seeds: [
        'rediss://me:a%25b@one:6379',
        'rediss://me:a%25b@two:5',
        'rediss://me:a%25b@[::1]:6379',
      ],
    });
    if (address.kind !== 'cluster') throw new Error(address.kind);
    expect(address.urlOf('::1', '7000')).toBe('rediss://me:a%25b@[::1]:7000');
  });
});
