import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { claimsIn, slotOf } from '../../services/shared/process/redis-slots.ts';

describe('slotOf', () => {
  it('should be CRC-16/XMODEM: 0x31C3 for the check value of the catalog', () => {
    expect(slotOf('123456789')).toBe(0x31c3);
    expect(slotOf('foo')).toBe(12_182);
  });

  // The examples of the specification of Redis Cluster.
  it.each([
    ['{user1000}.following', 'user1000'],
    ['foo{{bar}}zap', '{bar'],
    ['foo{bar}{zap}', 'bar'],
  ])('should hash %s as %s', (key, tag) => {
    expect(slotOf(key)).toBe(slotOf(tag));
  });

  it('should hash all of a key with an empty tag', () => {
    expect(slotOf('foo{}{bar}')).not.toBe(slotOf('bar'));
    expect(slotOf('foo{}{bar}')).toBe(8363);
  });

  it('should be in range for any text', () => {
    fc.assert(fc.property(fc.string(), (key) => slotOf(key) >= 0 && slotOf(key) < 16_384));
  });
});

describe('claimsIn', () => {
  const line = (address: string, flags: string, slots: string) =>
    `${'0'.repeat(40)} ${address} ${flags} - 0 1426238317239 7 connected ${slots}\n`;

  it('should read addresses and slots of primaries, and leave out slots that are moving', () => {
    const reply =
      line('10.0.0.1:6379@16379', 'myself,master', '0-99 200 [300->-abc]') +
      line('10.0.0.2:6379@16379,two.example', 'master,fail?', '101') +
      line('2001:db8::1:6379@16379', 'master', '102-103') +
      line('10.0.0.3:6379@16379', 'slave', '') +
      line('10.0.0.4:6379@16379', 'master', '');
    const epoch = 7;
    expect(claimsIn('redis://me:p@seed:1', reply)).toEqual([
      {
        host: '10.0.0.1',
        port: '6379',
        epoch,
        ranges: [
          [0, 99],
          [200, 200],
        ],
      },
      { host: 'two.example', port: '6379', epoch, ranges: [[101, 101]] },
      { host: '2001:db8::1', port: '6379', epoch, ranges: [[102, 103]] },
    ]);
  });

  it('should take the host of the URL for a node that does not know its own', () => {
    const reply = line(':6379@16379', 'myself,master', '0-16383');
    expect(claimsIn('redis://me:p@seed:1', reply)).toMatchObject([{ host: 'seed', port: '6379' }]);
  });
});
