import { describe, expect, it } from 'vitest';
import type { Beat, Person } from '../../services/dashboard/messages.ts';
import { Room } from '../../services/dashboard/room.ts';
import { range } from '../support/proofs.ts';

/** What an instance says: whose page it feeds, and whom it has served. */
function beat(name: string, people: Person[], served: [id: string, views: number][] = []): Beat {
  const cache = {
    ...{ localHits: 0, redisHits: 0, sharedLoads: 0, stale: 0 },
    ...{ misses: 0, bypasses: 0, originCalls: 0, originFailures: 0 },
  };
  const activity = { ms: 300, requests: served.length, latency: {}, served };
  return { name, state: 'ready', uptimeSeconds: 9, memoryBytes: 1, cache, activity, people };
}

const ada = { id: 'ada00000', views: 3 };
const bob = { id: 'bob00000', views: 5, name: 'Bob' };

describe('Room', () => {
  it('should show people with their views, at first at the instance that feeds them', () => {
    const room = new Room();
    room.hear(beat('app-1', [ada]));
    room.hear(beat('app-2', [bob]));
    expect(room.dots()).toEqual([
      ['ada00000', 'app-1', 3, ''],
      ['bob00000', 'app-2', 5, 'Bob'],
    ]);
    expect(room).toMatchObject({ people: 2, views: 8 });
    expect([room.has('ada00000'), room.has('eve00000')]).toEqual([true, false]);
    expect(room.takeChanges()).toEqual({ moved: room.dots(), left: [] });
  });

  it('should tell each change once', () => {
    const room = new Room();
    room.hear(beat('app-1', [ada]));
    room.takeChanges();
    room.hear(beat('app-1', [ada]));
    expect(room.takeChanges()).toEqual({ moved: [], left: [] });
    room.hear(beat('app-2', [], [['ada00000', 4]]));
    room.hear(beat('app-3', [], [['ada00000', 5]]));
    expect(room.takeChanges()).toEqual({ moved: [['ada00000', 'app-3', 5, '']], left: [] });
    expect(room.takeChanges()).toEqual({ moved: [], left: [] });
  });

  it('should not count views back where instances are heard in another order', () => {
    const room = new Room();
    room.hear(beat('app-1', [ada]));
    room.hear(beat('app-2', [], [['ada00000', 9]]));
    room.hear(beat('app-3', [], [['ada00000', 8]]));
    expect(room.dots()[0]?.[2]).toBe(9);
    room.hear(beat('app-1', [ada])); // the views of when the page was opened
    expect(room.dots()[0]?.[2]).toBe(9);
  });

  it('should not show whoever was served without having the page open', () => {
    const room = new Room();
    room.hear(beat('app-1', [], [['eve00000', 1]]));
    expect(room.people).toBe(0);
    expect(room.takeChanges()).toEqual({ moved: [], left: [] });
  });

  it('should let somebody go whom no instance feeds any more', () => {
    const room = new Room();
    room.hear(beat('app-1', [ada]));
    room.hear(beat('app-2', [ada, bob]));
    room.takeChanges();
    room.hear(beat('app-2', []));
    expect(room.takeChanges()).toEqual({ moved: [], left: ['bob00000'] });
    expect(room).toMatchObject({ people: 1, views: 3 });
    room.hear(beat('app-1', []));
    expect(room.takeChanges()).toEqual({ moved: [], left: ['ada00000'] });
    expect(room).toMatchObject({ people: 0, views: 0 });
  });

  it('should let the people of an instance go that is there no more', () => {
    const room = new Room();
    room.hear(beat('app-1', [ada]));
    room.hear(beat('app-2', [ada, bob]));
    room.takeChanges();
    room.feederGone('app-2');
    room.feederGone('app-2');
    room.feederGone('app-9');
    expect(room.takeChanges()).toEqual({ moved: [], left: ['bob00000'] });
    expect(room.people).toBe(1);
  });

  it('should have those who come back', () => {
    const room = new Room();
    room.hear(beat('app-1', [ada]));
    room.takeChanges();
    room.hear(beat('app-1', []));
    room.hear(beat('app-2', [{ ...ada, views: 6 }]));
    expect(room.takeChanges()).toEqual({ moved: [['ada00000', 'app-2', 6, '']], left: [] });
  });

  it('should show the name of whoever has logged in since', () => {
    const room = new Room();
    room.hear(beat('app-1', [ada]));
    room.takeChanges();
    room.hear(beat('app-1', [{ ...ada, name: 'Ada' }]));
    expect(room.takeChanges()).toEqual({ moved: [['ada00000', 'app-1', 3, 'Ada']], left: [] });
  });

  it('should hold a crowd, but not without end', () => {
    const room = new Room();
    const crowd = range(1, 3000).map((n) => ({ id: `id-${n}`, views: 1 }));
    room.hear(beat('app-1', crowd));
    expect(room.people).toBeGreaterThanOrEqual(500);
    expect(room.people).toBeLessThanOrEqual(1000);
    expect(room.takeChanges().moved).toHaveLength(room.people);
    room.hear(beat('app-1', []));
    expect(room.people).toBe(0);
  });
});
