import { describe, expect, it } from 'vitest';
import { addressRanges } from '../../tools/lib/options.ts';
import { faultInjectionSettings } from '../../tools/stack/public-url.ts';

describe('TRUSTED_PROXIES', () => {
  it('should be a list of addresses and ranges', () => {
    const ranges = ['10.0.0.1', '172.16.0.0/12', '::1', 'fd00::/8'];
    expect(addressRanges('TRUSTED_PROXIES', ranges.join(', '))).toEqual(ranges);
    expect(addressRanges('TRUSTED_PROXIES', '')).toEqual([]);
  });

  it('should switch fault injection off, or demand the key of the presenter', () => {
    const env = { TRUSTED_PROXIES: '127.0.0.1' };
    expect(faultInjectionSettings('127.0.0.1', env)).toEqual({ FAULT_INJECTION: 'off' });
    const on = faultInjectionSettings('127.0.0.1', { ...env, FAULT_INJECTION: 'on' });
    expect(on.PRESENTER_KEY).toMatch(/^[\w-]{8}$/);
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
