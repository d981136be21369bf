// @ts-check

/**
 * Says that k6 is too old: since 1.0 it runs TypeScript.
 *
 * @param {string} output of `k6 version`, for example `k6 v1.2.0 (go1.24.4, linux/amd64)`
 * @returns {string | undefined}
 */
export function k6TooOld(output) {
  const [, version] = /^k6\S* v(0\.\S+)/.exec(output) ?? [];
  return version && `k6 ${version} is too old: the scripts are in TypeScript, which needs k6 1.0`;
}
