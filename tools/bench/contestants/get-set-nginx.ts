import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Nginx } from '../../stack/nginx.ts';

/** nginx as in the well-known Compose sample: fixed upstreams, and a new connection for each request. */
export class SampleNginx extends Nginx {
  override write({ app = [] }: Record<string, number[]>): void {
    writeFileSync(join(this.folder, 'nginx/nginx.conf'), configuration(this.port, app));
  }
}

/**
 * What runs it as a local process, and the access log, are as in nginx/nginx.conf. HTTP/1.0 without
 * keep-alive was nginx's default until 1.29.7, and is spelled out so that figures compare.
 */
function configuration(port: number, upstreams: number[]): string {
  return `
daemon off;
worker_processes auto;
pid nginx.pid;
error_log stderr notice;
events {
    worker_connections 2048;
}
http {
    client_body_temp_path client_body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    log_format upstream '$remote_addr "$request" $status $request_time '
                        '$upstream_addr $upstream_status $upstream_response_time $request_id';
    access_log /dev/stdout upstream buffer=16k flush=1s;

    upstream loadbalancer {
${upstreams.map((upstream) => `        server 127.0.0.1:${upstream};`).join('\n')}
    }
    server {
        listen 127.0.0.1:${port};
        location / {
            proxy_pass http://loadbalancer;
            proxy_http_version 1.0;
            proxy_set_header Connection close;
        }
    }
}
`;
}
