import { hash } from 'node:crypto';

/** Tells sessions apart without giving them away: 8 hexadecimal digits of a hash of the id. */
export function visitorHash(sessionId: string): string {
  return hash('sha256', sessionId).slice(0, 8);
}
