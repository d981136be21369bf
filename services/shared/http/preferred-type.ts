import type { Request } from 'express';

/** The number of Accept headers whose result is remembered. */
const MAX_REMEMBERED = 100;

/**
 * Returns a function that picks the one of `types` that a client prefers; the first if it accepts
 * any or none of them. It is `res.format` with a memory. The reply must say `Vary: Accept`.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1 Accept
 */
export function preferredType<const Type extends string>(...types: [Type, ...Type[]]) {
  const remembered = new Map<string | undefined, Type>();
  return (req: Request): Type => {
    const { accept } = req.headers;
    const before = remembered.get(accept);
    if (before !== undefined) return before;
    const type = (req.accepts(types) || types[0]) as Type;
    if (remembered.size < MAX_REMEMBERED) remembered.set(accept, type);
    return type;
  };
}
