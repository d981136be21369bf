import { describe, expect, it } from 'vitest';
import { parseRedisUrl, withPassword } from '../../services/shared/process/redis-url.ts';

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

describe('withPassword', () => {
  it.each([
    ['redis://host', 'redis://:p%3A%2F%40%25@host'],
    ['redis://@host/2', 'redis://:p%3A%2F%40%25@host/2'],
    ['rediss://me@host:1', 'rediss://me:p%3A%2F%40%25@host:1'],
    ['redis+sentinel://me@one,two/main', 'redis+sentinel://me:p%3A%2F%40%25@one,two/main'],
    ['redis+cluster://one,two', 'redis+cluster://:p%3A%2F%40%25@one,two'],
  ])('should add a password to %s', (url, expected) => {
    expect(withPassword(url, 'p:/@%')).toBe(expected);
  });

  it('should refuse a URL that has a password, also an empty one', () => {
    for (const user of ['me:p', ':p', 'me:']) {
      expect(() => withPassword(`redis://${user}@host`, 'q')).toThrow('has a password too');
    }
  });
});
