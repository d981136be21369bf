/** The number of slots of a Redis Cluster. */
export const SLOTS = 16_384;

/**
 * The slot of a key: CRC-16/XMODEM of its hash tag, or of the whole key.
 * @see https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#key-distribution-model
 */
export function slotOf(key: string): number {
  const [, tag = key] = /^[^{]*\{([^}]+)\}/s.exec(key) ?? [];
  let crc = 0;
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0);
  }
  return crc & (SLOTS - 1);
}

/** The slots that a primary has, as one node of a Cluster sees it. */
export interface Claim {
  host: string;
  port: string;
  /** The number of its configuration. Of two claims to a slot, the greater number wins. */
  epoch: number;
  /** The first and the last slot of each range. */
  ranges: [first: number, last: number][];
}

/**
 * Reads the reply to CLUSTER NODES.
 *
 * @param seed the URL of the node that was asked: it may not know its own address
 * @see https://redis.io/docs/latest/commands/cluster-nodes/
 */
export function claimsIn(seed: string, reply: string): Claim[] {
  return reply.split('\n').flatMap((line) => {
    const [, address = '', flags = '', , , , epoch, , ...slots] = line.trim().split(' ');
    const [, ip, port = '', name] = /^(.*):(\d+)@\d+(?:,([^,]*))?/.exec(address) ?? [];
    if (!flags.split(',').includes('master') || slots.length === 0) return [];
    const ranges = slots.flatMap((range): Claim['ranges'] => {
      if (range.startsWith('[')) return []; // a slot that is moving; it is also in a range
      const [first = NaN, last = first] = range.split('-').map(Number);
      return [[first, last]];
    });
    return [{ host: name || ip || new URL(seed).hostname, port, epoch: Number(epoch), ranges }];
  });
}
