import { expect, it } from 'vitest';
import { listenWithTls } from '../../tools/stack/tls.ts';

it.each([
  ['nginx/1.22.1', '', ['listen [::1]:8443 ssl http2;']],
  ['nginx/1.25.0', '', ['listen [::1]:8443 ssl http2;']],
  ['nginx/1.25.1', '', ['listen [::1]:8443 ssl;', 'http2 on;']],
  [
    'nginx/1.30.0',
    '--with-http_v3_module',
    [
      'listen [::1]:8443 ssl;',
      'http2 on;',
      'listen [::1]:8443 quic reuseport;',
      `add_header Alt-Svc 'h3=":8443"' always;`,
    ],
  ],
])('should use what %s %s knows', (version, option, lines) => {
  const build = `nginx version: ${version}\nconfigure arguments: ${option}\n`;
  const end = 'include tls/tls.conf;';
  const hsts = 'add_header Strict-Transport-Security max-age=60 always;';
  expect(listenWithTls('[::1]:8443', 0, build)).toEqual([...lines, end]);
  expect(listenWithTls('[::1]:8443', 60, build)).toEqual([...lines, hsts, end]);
});
