import { describe, expect, it } from 'vitest';
import { docker, dockerMissing } from '../support/docker.ts';

const missing = dockerMissing();

describe.skipIf(missing)(
  `deploy/observe/compose.yml${missing ? ` (skipped: ${missing})` : ''}`,
  () => {
    it('should publish nginx, Prometheus and Grafana on loopback, and nothing else', () => {
      const files = ['docker-compose.yml', 'deploy/observe/compose.yml'];
      const words = [...files.flatMap((file) => ['--file', file]), 'config', '--format', 'json'];
      const { services } = JSON.parse(docker(['compose', ...words], { BIND: '' })) as {
        services: Record<string, { ports?: { target: number; host_ip: string }[] }>;
      };
      const published = Object.entries(services).flatMap(([name, { ports = [] }]) =>
        ports.map(({ target, host_ip }) => `${name} ${host_ip}:${target}`),
      );
      expect(published.sort()).toEqual([
        'grafana 127.0.0.1:3000',
        'nginx 127.0.0.1:8080',
        'prometheus 127.0.0.1:9090',
      ]);
    });
  },
);
