import type { RequestHandler } from 'express';
import type { DataCache, Entry } from '../data-cache.ts';

/** `GET /data`: from the cache, or else from the origin and then into the cache (cache-aside). */
export function getData(
  cache: DataCache,
  origin: (signal: AbortSignal) => Promise<string>,
  instance: string,
): RequestHandler {
  const make = async (signal: AbortSignal): Promise<Entry> => {
    const entry = { data: await origin(signal), madeBy: instance, madeAt: Date.now() };
    await cache.set(entry);
    return entry;
  };
  return async (req, res) => {
    const cached = await cache.get();
    const entry = cached ?? (await make(req.deadline));

    const ageMs = Math.max(0, Date.now() - entry.madeAt); // clocks may differ between machines
    res.set({
      'X-Cache': cached ? 'HIT' : 'MISS',
      Age: String(Math.floor(ageMs / 1000)),
      'Cache-Control': 'no-cache',
    });
    const text = `${cached ? 'Cached' : 'New'} Data: ${entry.data}`;
    const json = {
      data: entry.data,
      cached: cached !== undefined,
      madeBy: entry.madeBy,
      madeAt: new Date(entry.madeAt).toISOString(),
    };
    res.format({
      text: () => res.send(text),
      json: () => res.json(json),
      default: () => res.type('text').send(text),
    });
  };
}

/** `DELETE /data`: forgets the cached value. */
export function forgetData(cache: DataCache): RequestHandler {
  return async (_req, res) => {
    await cache.forget();
    res.status(204).end();
  };
}
