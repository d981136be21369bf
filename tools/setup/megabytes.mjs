// @ts-check

/**
 * Millions of bytes, rounded up.
 *
 * @param {number} bytes
 */
export function megabytes(bytes) {
  return Math.ceil(bytes / 1e6);
}
