import { describe, expect, it } from 'vitest';
import { Audience, participantId } from '../../services/dashboard/audience.ts';
import { range } from '../support/proofs.ts';

/** A hash as Redis returns it: fields and values alternate. */
const stored = (fields: Record<string, string>) => Object.entries(fields).flat();

describe('Audience', () => {
  it('should list participants with instance, views, name and number', () => {
    const audience = new Audience();
    audience.update(
      stored({ ada00000: '1 3 app-1 ', bob00000: '2 5 app-2 Bob B.\n', eve00000: '3 1  Eve' }),
    );
    expect(audience.all()).toEqual([
      ['ada00000', 'app-1', 3, '', 1],
      ['bob00000', 'app-2', 5, 'Bob B.\n', 2],
      ['eve00000', '', 1, 'Eve', 3],
    ]);
    expect(audience.totals()).toEqual({ participants: 3, views: 9 });
    expect(audience.get('bob00000')).toEqual(['bob00000', 'app-2', 5, 'Bob B.\n', 2]);
    expect(audience.takeChanges()).toEqual({ moved: audience.all(), left: [] });
  });

  it('should report each change once', () => {
    const audience = new Audience();
    audience.update(stored({ ada00000: '1 3 app-1 ' }));
    audience.takeChanges();
    audience.update(stored({ ada00000: '1 3 app-1 ' }));
    expect(audience.takeChanges()).toEqual({ moved: [], left: [] });
    audience.update(stored({ ada00000: '1 4 app-2 ' }));
    audience.update(stored({ ada00000: '1 5 app-3 ' }));
    expect(audience.takeChanges()).toEqual({ moved: [['ada00000', 'app-3', 5, '', 1]], left: [] });
    expect(audience.takeChanges()).toEqual({ moved: [], left: [] });
  });

  it('should report participants that leave and come back', () => {
    const audience = new Audience();
    audience.update(stored({ ada00000: '1 3 app-1 ', bob00000: '2 5 app-2 Bob' }));
    audience.takeChanges();
    audience.update(stored({ ada00000: '1 3 app-1 ' }));
    expect(audience.takeChanges()).toEqual({ moved: [], left: ['bob00000'] });
    expect(audience.totals()).toEqual({ participants: 1, views: 3 });
    audience.update(stored({ ada00000: '1 3 app-1 ', bob00000: '2 6 app-2 Bob' }));
    expect(audience.takeChanges()).toEqual({
      moved: [['bob00000', 'app-2', 6, 'Bob', 2]],
      left: [],
    });
    audience.update([]);
    expect(audience.takeChanges()).toEqual({ moved: [], left: ['ada00000', 'bob00000'] });
  });

  it('should report only the departure of a participant that came and left between two messages', () => {
    const audience = new Audience();
    audience.update(stored({ ada00000: '1 3 app-1 ' }));
    audience.update([]);
    expect(audience.takeChanges()).toEqual({ moved: [], left: ['ada00000'] });
  });

  it('should skip malformed values', () => {
    const audience = new Audience();
    audience.update(
      stored({
        a: '',
        b: '1 x app-1 ',
        c: '1 -1 app-1 ',
        d: '3',
        e: '{}',
        f: '4 2 app-1 ',
        g: `1 ${'9'.repeat(400)} app-1 `,
        h: `${'9'.repeat(400)} 1 app-1 `,
      }),
    );
    expect(audience.all()).toEqual([['f', 'app-1', 2, '', 4]]);
    audience.update(['odd']);
    expect(audience.totals()).toEqual({ participants: 0, views: 0 });
  });

  it('should handle 1000 participants', () => {
    const audience = new Audience();
    audience.update(range(1, 1000).flatMap((n) => [`id-${n}`, '1 1 app-1 ']));
    expect(audience.totals()).toEqual({ participants: 1000, views: 1000 });
    expect(audience.takeChanges().moved).toHaveLength(1000);
  });
});

describe('participantId', () => {
  it('should be the first 8 digits of the SHA-256 hash', () => {
    expect(participantId('abc')).toBe('ba7816bf'); // FIPS 180-2, appendix B.1
  });
});
