/** A frame of an animation. It may be smaller than the picture, and then covers a part of it. */
export interface Frame {
  /** A still WebP file, lossy or lossless. */
  still: Buffer;
  /** The place of the frame and its size in pixels; `x` and `y` are even. */
  x: number;
  y: number;
  width: number;
  height: number;
  durationMs: number;
}

/** The chunks of a still that an animation takes over; the others are metadata. */
const BITSTREAM = ['ALPH', 'VP8 ', 'VP8L'];
const HAS_ANIMATION = 0b10;
const DO_NOT_BLEND = 0b10;
const LOOP_FOREVER = 0;

/**
 * Makes an animated WebP file of stills. The first frame covers the whole picture, and each frame
 * replaces what is below it.
 *
 * @see https://developers.google.com/speed/webp/docs/riff_container WebP Container Specification
 */
export function animatedWebp(frames: Frame[]): Buffer {
  const [{ width, height } = { width: 1, height: 1 }] = frames;
  const size = [...uint24(width - 1), ...uint24(height - 1)];
  return chunk(
    'RIFF',
    Buffer.from('WEBP'),
    chunk('VP8X', Buffer.from([HAS_ANIMATION, 0, 0, 0, ...size])),
    chunk('ANIM', Buffer.from([255, 255, 255, 255, LOOP_FOREVER, 0])),
    ...frames.map(animationFrame),
  );
}

function animationFrame({ still, x, y, width, height, durationMs }: Frame): Buffer {
  const numbers = [x / 2, y / 2, width - 1, height - 1, durationMs].flatMap(uint24);
  return chunk('ANMF', Buffer.from([...numbers, DO_NOT_BLEND]), ...bitstream(still));
}

/** The chunks with the pixels of a still. */
function bitstream(still: Buffer): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 12; at < still.length; ) {
    const size = still.readUInt32LE(at + 4);
    const end = at + 8 + size + (size % 2);
    if (BITSTREAM.includes(still.toString('latin1', at, at + 4))) {
      chunks.push(still.subarray(at, end));
    }
    at = end;
  }
  return chunks;
}

/** A chunk has its name, the size of its payload, and the payload, which is even here: no padding. */
function chunk(name: string, ...parts: Buffer[]): Buffer {
  const payload = Buffer.concat(parts);
  const head = Buffer.from(`${name}....`);
  head.writeUInt32LE(payload.length, 4);
  return Buffer.concat([head, payload]);
}

function uint24(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff, value >> 16];
}
