import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Stack } from '../../stack/stack.ts';

/**
 * Gives nginx the least that a proxy needs: kept connections to the instances, and nothing else. There
 * is no access log, no added header and no map.
 */
export async function useMinimalConfiguration(stack: Stack): Promise<void> {
  await configure(stack, /^.*?scgi_temp_path [^;]+;/s, {
    upstream: 'keepalive 64;',
    location: 'proxy_http_version 1.1; proxy_set_header Connection "";',
    http: 'access_log off;',
  });
}

/**
 * Gives nginx the configuration of the well-known Compose sample: fixed upstreams, and a new
 * connection for each request. HTTP/1.0 without keep-alive was nginx's default until 1.29.7; it is
 * explicit so that figures compare.
 */
export async function useSampleConfiguration(stack: Stack): Promise<void> {
  await configure(stack, /^.*?access_log [^;]+;/s, {
    location: 'proxy_http_version 1.0; proxy_set_header Connection close;',
  });
}

/** Directives in the blocks of a configuration. */
interface Directives {
  http?: string;
  upstream?: string;
  location: string;
}

/** Keeps the part of nginx/nginx.conf that matches `common`, and replaces all that follows. */
async function configure(
  { folder, nginx, instances }: Stack,
  common: RegExp,
  { http = '', upstream = '', location }: Directives,
): Promise<void> {
  const file = join(folder, 'nginx/nginx.conf');
  const [start] = common.exec(readFileSync(file, 'utf8')) ?? [];
  // The variable is defined after this part.
  const conf = `${start?.replace('$forwarded_for', '$remote_addr')}
    ${http}
    upstream loadbalancer {
${instances.map(({ port }) => `        server 127.0.0.1:${port};`).join('\n')}
        ${upstream}
    }
    server {
        listen 127.0.0.1:${nginx.port};
        location / {
            proxy_pass http://loadbalancer;
            ${location}
        }
    }
}
`;
  writeFileSync(file, conf);
  await nginx.reload();
}
