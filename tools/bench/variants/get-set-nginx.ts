import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Stack } from '../../stack/stack.ts';

/** Process settings, temporary files and access log of nginx/nginx.conf. */
const COMMON = /^.*?access_log [^;]+;/s;

/**
 * Gives nginx the configuration of the well-known Compose sample: fixed upstreams, and a new
 * connection for each request. HTTP/1.0 without keep-alive was nginx's default until 1.29.7; it is
 * explicit so that figures compare.
 */
export async function useSampleConfiguration({ folder, nginx, instances }: Stack): Promise<void> {
  const file = join(folder, 'nginx/nginx.conf');
  const [common] = COMMON.exec(readFileSync(file, 'utf8')) ?? [];
  // The variable is defined after this part.
  const conf = `${common?.replace('$forwarded_for', '$remote_addr')}
    upstream loadbalancer {
${instances.map(({ port }) => `        server 127.0.0.1:${port};`).join('\n')}
    }
    server {
        listen 127.0.0.1:${nginx.port};
        location / {
            proxy_pass http://loadbalancer;
            proxy_http_version 1.0;
            proxy_set_header Connection close;
        }
    }
}
`;
  writeFileSync(file, conf);
  await nginx.reload();
}
