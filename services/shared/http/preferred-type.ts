import type { Request } from 'express';

/** The most different Accept headers that are remembered. */
const MAX_KNOWN = 100;

/**
 * A function that says in which of some types a client wants the answer: the first of them where it
 * takes any, or none of them. The same as `res.format`, but what an Accept header means is worked
 * out once. The reply has to say `Vary: Accept`.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1 Accept
 */
export function preferredType<const Type extends string>(...types: Type[]) {
  const known = new Map<string | undefined, Type>();
  const first = types[0] as Type;
  return (req: Request): Type => {
    const { accept } = req.headers;
    const before = known.get(accept);
    if (before !== undefined) return before;
    const type = (req.accepts(types) || first) as Type;
    if (known.size < MAX_KNOWN) known.set(accept, type);
    return type;
  };
}
