import { describe, expect, it } from 'vitest';
import { addressRanges } from '../../tools/lib/options.ts';

describe('TRUSTED_PROXIES', () => {
  it('should be a list of addresses and ranges', () => {
    const ranges = ['10.0.0.1', '172.16.0.0/12', '::1', 'fd00::/8'];
    expect(addressRanges('TRUSTED_PROXIES', ranges.join(', '))).toEqual(ranges);
    expect(addressRanges('TRUSTED_PROXIES', '')).toEqual([]);
  });

  it.each(['proxy.example', '10.0.0.0/33', '10.0.0.1;', '10.0.0.1,', '300.0.0.1', 'default'])(
    'should not be %j',
    (text) => {
      expect(() => addressRanges('TRUSTED_PROXIES', text)).toThrow(
        `TRUSTED_PROXIES="${text}": must be IP addresses or CIDR ranges, separated by commas`,
      );
    },
  );
});
