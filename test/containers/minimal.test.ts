import { describe, expect, it } from 'vitest';
import { type Reply, Visitor } from '../../tools/lib/visitor.ts';
import { ComposeStack, dockerMissing, UP_MS } from '../support/docker.ts';
import { range, viewsIn } from '../support/proofs.ts';

const missing = dockerMissing();

describe.skipIf(missing)(`PROGRAM=minimal${missing ? ` (skipped: ${missing})` : ''}`, () => {
  it('should count in order across 3 containers, and return no number twice', {
    timeout: UP_MS,
  }, async () => {
    const SESSION_SECRET = 'a secret of at least 32 characters';
    await using stack = await ComposeStack.start({ PROGRAM: 'minimal', SESSION_SECRET });
    const visitor = new Visitor(stack.url);
    const replies: Reply[] = [];
    for (const _ of range(1, 30)) replies.push(await visitor.send());
    expect(replies.map(viewsIn)).toEqual(range(1, 30));
    expect(new Set(replies.map(({ headers }) => headers['x-instance'])).size).toBe(3);
    // On a busy machine nginx retries, and minimal counts that view again: numbers may be missing.
    const atOnce = (await Promise.all(range(1, 200).map(() => visitor.send()))).map(viewsIn);
    expect(new Set(atOnce).size).toBe(200);
    expect(Math.min(...atOnce)).toBeGreaterThan(30);
  });
});
