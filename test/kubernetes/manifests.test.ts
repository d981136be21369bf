import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { INetworkPolicyEgressRule } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicyEgressRule';
import type { INetworkPolicyIngressRule } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicyIngressRule';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import * as app from '../../services/app/config.ts';
import * as dashboard from '../../services/dashboard/config.ts';
import { DRAIN_MS } from '../../services/shared/process/service.ts';
import { eventually } from '../../tools/lib/eventually.ts';
import { ROOT } from '../../tools/lib/root.mjs';
import { runInstance } from '../../tools/lib/running.ts';
import { send } from '../../tools/lib/visitor.ts';
import { freePort } from '../../tools/stack/port.ts';
import { Stack } from '../../tools/stack/stack.ts';
import { build, kustomizeMissing as missing, ofKind, overlays } from '../support/kubernetes.ts';
import type { Manifest } from '../support/manifest.ts';

/** Seconds for which DNS servers of a cluster may give an address that has gone (kubeadm's TTL). */
const DNS_TTL = 30;

const FROM_NGINX = ['nginx → app:3000', 'nginx → dashboard:3000'];
const TO_METRICS = 'dashboard → app:3000';
/** The connections between pods that the programs make, by overlay. */
const CONNECTIONS: Record<string, string[]> = {
  local: [...FROM_NGINX, TO_METRICS, 'app → redis:6379', 'dashboard → redis:6379'],
  production: [
    ...FROM_NGINX,
    TO_METRICS,
    ...['app', 'dashboard', 'redis', 'sentinel'].flatMap((client) => [
      `${client} → redis:6379`,
      `${client} → sentinel:26379`,
    ]),
  ],
  gateway: [TO_METRICS],
};

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
/** What the container of a service is made of, in docker-compose.yml. */
const compose = parse(read('docker-compose.yml'), { merge: true }).services;
const README = read('deploy/kubernetes/README.md');

it.runIf(process.env.REQUIRE_KUSTOMIZE === '1')(
  'should be there, since REQUIRE_KUSTOMIZE=1',
  () => {
    expect(missing).toBeUndefined();
  },
);

/** The pods of an overlay, by the name of their Deployment or StatefulSet. */
function podsOf(manifests: Manifest[]) {
  const workloads = [...ofKind(manifests, 'Deployment'), ...ofKind(manifests, 'StatefulSet')];
  return new Map(
    workloads.map(({ metadata, spec }) => {
      const pod = spec?.template?.spec;
      const [container] = pod?.containers ?? [];
      if (!pod || !container) throw new Error(`${metadata?.name} has no container`);
      const labels = spec?.template?.metadata?.labels ?? {};
      return [metadata?.name ?? '', { pod, container, labels }];
    }),
  );
}

type Pod = ReturnType<typeof podsOf> extends Map<string, infer P> ? P : never;

/** The environment of a container; the values of Secrets are `secrets`, by key. */
function environmentOf({ container }: Pod, manifests: Manifest[], secrets: Record<string, string>) {
  const settings = (container.envFrom ?? []).map(
    ({ configMapRef }) =>
      ofKind(manifests, 'ConfigMap').find(({ metadata }) => metadata?.name === configMapRef?.name)
        ?.data,
  );
  const env: Record<string, string> = Object.assign({}, ...settings);
  for (const { name, value, valueFrom } of container.env ?? []) {
    env[name] = value ?? secrets[valueFrom?.secretKeyRef?.key ?? ''] ?? '';
  }
  return env;
}

/** The connections between pods that the policies allow: `from → to:port`. */
function connectionsIn(manifests: Manifest[]): string[] {
  const policies = ofKind(manifests, 'NetworkPolicy').flatMap(({ spec }) => spec ?? []);
  const pods = [...podsOf(manifests)];
  type Selector = (typeof policies)[number]['podSelector'];
  const selects = (selector: Selector, { labels }: Pod) =>
    Object.entries(selector?.matchLabels ?? {}).every(([key, its]) => labels[key] === its) &&
    (selector?.matchExpressions ?? []).every(({ key, values }) =>
      values?.includes(labels[key] ?? ''),
    );
  const allows = (
    rules: (INetworkPolicyEgressRule & INetworkPolicyIngressRule)[] | undefined,
    peer: Pod,
    port: number,
  ) =>
    rules?.some(
      ({ from, to = from, ports }) =>
        (to?.some(({ podSelector }) => podSelector && selects(podSelector, peer)) ?? true) &&
        ports?.some((its) => its.port === port),
    );
  const isAllowed = (from: Pod, to: Pod, port: number) =>
    policies.some((its) => selects(its.podSelector, from) && allows(its.egress, to, port)) &&
    policies.some((its) => selects(its.podSelector, to) && allows(its.ingress, from, port));
  return pods.flatMap(([from, client]) =>
    pods.flatMap(([to, server]) =>
      portsOf(server)
        .filter((port) => isAllowed(client, server, port))
        .map((port) => `${from} → ${to}:${port}`),
    ),
  );
}

const portsOf = ({ container }: Pod) => (container.ports ?? []).map((port) => port.containerPort);

/** Seconds. */
const preStopOf = ({ container }: Pod) => container.lifecycle?.preStop?.sleep?.seconds ?? 0;

describe.skipIf(missing)(`deploy/kubernetes${missing ? ` (skipped: ${missing})` : ''}`, () => {
  const built = new Map<string, Manifest[]>();
  beforeAll(() => {
    for (const overlay of overlays) built.set(overlay, build(overlay));
  });
  const manifestsOf = (overlay: string) => built.get(overlay) ?? [];
  const podOf = (name: string, overlay = 'production') => {
    const pod = podsOf(manifestsOf(overlay)).get(name);
    if (!pod) throw new Error(`there is no ${name} in ${overlay}`);
    return pod;
  };

  describe('the types of Kubernetes', () => {
    let folder: string;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'shared-state-kubernetes-'));
    });
    afterAll(() => rmSync(folder, { recursive: true }));

    /** What the compiler says of resources. They are literals, so it knows each unknown field. */
    function typeErrors(manifests: unknown[]): string {
      const file = join(folder, 'manifests.ts');
      const type = JSON.stringify(join(ROOT, 'test/support/manifest.ts'));
      writeFileSync(
        file,
        `import type { Manifest } from ${type};
        export const manifests: Manifest[] = ${JSON.stringify(manifests, null, 2)};`,
      );
      const options = '--ignoreConfig --noEmit --strict --skipLibCheck --module nodenext';
      const args = [...options.split(' '), '--allowImportingTsExtensions', file];
      return spawnSync(join(ROOT, 'node_modules/.bin/tsc'), args, { encoding: 'utf8' }).stdout;
    }

    it('should allow every field of every overlay', () => {
      expect(typeErrors([...built.values()].flat())).toBe('');
    });

    it('should refuse an unknown field, a wrong type and an old version', () => {
      const text = JSON.stringify(manifestsOf('production'));
      const faults = [
        ['"readinessProbe"', '"readynessProbe"', /'"readynessProbe"' does not exist/],
        ['"containerPort":3000', '"containerPort":"3000"', /'string' is not assignable/],
        ['"policy/v1"', '"policy/v1beta1"', /"policy\/v1beta1"' is not assignable/],
      ] as const;
      const wrong = faults.flatMap(([right, fault]) => JSON.parse(text.replace(right, fault)));
      const errors = typeErrors(wrong);
      for (const [, , message] of faults) expect(errors).toMatch(message);
    });
  });

  describe.each(overlays)('the overlay %s', (overlay) => {
    it('should refer only to resources that exist', () => {
      const manifests = manifestsOf(overlay);
      const pods = [...podsOf(manifests).values()];
      const selects = (labels: Record<string, string> = {}) =>
        pods.some((pod) => Object.entries(labels).every(([key, its]) => pod.labels[key] === its));
      const existing = manifests.map(({ kind, metadata }) => `${kind} ${metadata?.name}`);
      for (const { metadata, spec } of ofKind(manifests, 'Service')) {
        expect(selects(spec?.selector), metadata?.name).toBe(true);
      }
      for (const { metadata, spec } of ofKind(manifests, 'PodDisruptionBudget')) {
        expect(selects(spec?.selector?.matchLabels), metadata?.name).toBe(true);
      }
      for (const { spec } of ofKind(manifests, 'HorizontalPodAutoscaler')) {
        const { kind, name } = spec?.scaleTargetRef ?? {};
        expect(existing).toContain(`${kind} ${name}`);
      }
      for (const { spec } of ofKind(manifests, 'HTTPRoute')) {
        const backends = spec?.rules?.flatMap(({ backendRefs }) => backendRefs ?? []) ?? [];
        for (const { name } of backends) expect(existing).toContain(`Service ${name}`);
      }
      const configMaps = pods.flatMap(({ pod, container }) => [
        ...(container.envFrom ?? []).map(({ configMapRef }) => configMapRef?.name),
        ...(pod.volumes ?? []).flatMap(({ configMap, projected }) => [
          ...(configMap ? [configMap.name] : []),
          ...(projected?.sources ?? []).map((source) => source.configMap?.name),
        ]),
      ]);
      for (const name of configMaps) expect(existing).toContain(`ConfigMap ${name}`);
    });

    it('should allow the connections that the programs make, and no others', () => {
      expect(connectionsIn(manifestsOf(overlay)).sort()).toEqual(CONNECTIONS[overlay]?.sort());
    });

    it('should confine every pod', () => {
      for (const [name, { pod, container }] of podsOf(manifestsOf(overlay))) {
        expect(pod.containers, name).toHaveLength(1);
        expect(pod, name).toMatchObject({
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
        });
        expect(container.securityContext, name).toEqual({
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: false,
          capabilities: { drop: ['ALL'] },
        });
        expect(container.resources?.limits?.memory, name).toBeDefined();
      }
    });

    it('should set only known variables, with values that the programs accept', () => {
      const manifests = manifestsOf(overlay);
      const [local] = ofKind(manifestsOf('local'), 'Secret');
      const secrets = {
        SESSION_SECRET: Buffer.from(local?.data?.SESSION_SECRET ?? '', 'base64').toString(),
        REDIS_PASSWORD: 'a'.repeat(64),
        REDIS_URL: 'rediss://default:secret@redis.example.com:6380',
      };
      const known = Object.keys({ ...app.variables.shape, ...dashboard.variables.shape });
      for (const [name, { readConfig }] of Object.entries({ app, dashboard })) {
        const env = environmentOf(podOf(name, overlay), manifests, secrets);
        expect(known).toEqual(expect.arrayContaining(Object.keys(env)));
        const config = readConfig(env);
        expect(config).toMatchObject({
          NODE_ENV: 'production',
          SESSION_SECRET: [secrets.SESSION_SECRET],
        });
        expect(portsOf(podOf(name, overlay))).toEqual([config.PORT]);
        const wrong = { ...env, REDIS_URL: 'redis' };
        expect(() => readConfig(wrong)).toThrow('REDIS_URL');
      }
    });

    it('should run the programs, images and users of docker-compose.yml', () => {
      const pods = podsOf(manifestsOf(overlay));
      for (const name of ['app', 'dashboard']) {
        const { container } = podOf(name, overlay);
        const command = [...compose[name].command];
        const program = command.pop().replace(/\$\{\w+:-(\w+)\}/, '$1');
        expect(container.command, name).toEqual([...command, program]);
        expect(existsSync(join(ROOT, program)), program).toBe(true);
      }
      const images = { nginx: 'nginx', redis: 'redis', sentinel: 'redis' };
      for (const [name, service] of Object.entries(images)) {
        const its = pods.get(name);
        if (!its) continue;
        const image = /^\$\{\w+:-(.+)\}$/.exec(compose[service].image)?.[1];
        expect(its.container.image, name).toBe(image);
        const user = its.pod.securityContext?.runAsUser;
        expect(String(user), name).toBe(compose[service].user.split(':')[0]);
      }
      const [, user] = /^USER (\d+)/m.exec(read('services/app/Dockerfile')) ?? [];
      expect(String(podOf('app', overlay).pod.securityContext?.runAsUser)).toBe(user);
    });

    it('should ask for no Secret that the README does not create', () => {
      const needed = [...podsOf(manifestsOf(overlay)).values()].flatMap(({ container }) =>
        (container.env ?? []).flatMap(({ valueFrom }) => valueFrom?.secretKeyRef?.key ?? []),
      );
      const [secret] = ofKind(manifestsOf(overlay), 'Secret');
      const created = [...README.matchAll(/--from-literal=(\w+)=/g)].map(([, key]) => key);
      expect(secret !== undefined).toBe(overlay === 'local');
      const keys = secret ? Object.keys(secret.data ?? {}) : created;
      expect(keys).toEqual(expect.arrayContaining(needed));
    });
  });

  describe('a running stack', () => {
    let stack: Stack;
    beforeAll(async () => {
      stack = await Stack.start({ scale: 1 });
    });
    afterAll(() => stack?.close());

    it.each(['app', 'dashboard', 'nginx'])('should answer the probes of %s', async (name) => {
      const { container } = podOf(name);
      const { port } = stack.process(name === 'app' ? 'app-1' : name);
      for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'] as const) {
        const { path, port: named } = container[probe]?.httpGet ?? {};
        expect(container.ports?.map((its) => its.name)).toEqual([named]);
        const { status } = await send(`http://127.0.0.1:${port}${path}`);
        expect([200, 204], `${probe} ${path}`).toContain(status);
      }
    });

    it('should end an instance within the grace period, even if a client and Redis hang', async () => {
      const port = await freePort('127.0.0.1');
      await using running = runInstance({ REDIS_URL: stack.topology.url, PORT: String(port) });
      await eventually(async () => {
        expect((await send(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
      });
      const client = connect(port, '127.0.0.1').on('error', () => {});
      client.write('GET / HTTP/1.1\r\nHost: a\r\n'); // never finished
      await send(`http://127.0.0.1:${port}/livez`); // by now the instance has it
      stack.redis.pause();
      try {
        const from = Date.now();
        running.child.kill('SIGTERM');
        expect(await running.ended).toMatchObject({ code: 0 });
        const ms = Date.now() - from;
        expect(ms).toBeGreaterThanOrEqual(DRAIN_MS);
        for (const name of ['app', 'dashboard']) {
          const { terminationGracePeriodSeconds = 30 } = podOf(name).pod;
          const left = terminationGracePeriodSeconds - preStopOf(podOf(name));
          expect(left, name).toBeGreaterThan(1.2 * (ms / 1000));
        }
      } finally {
        stack.redis.resume();
        client.destroy();
      }
    });
  });

  it('should send requests to a pod until no DNS server gives its address', () => {
    for (const name of ['app', 'dashboard']) {
      expect(preStopOf(podOf(name)), name).toBeGreaterThan(DNS_TTL);
    }
  });

  it('should give nginx the time to finish its requests', () => {
    const [, seconds] = /worker_shutdown_timeout (\d+)s/.exec(read('nginx/nginx.conf')) ?? [];
    const { terminationGracePeriodSeconds = 30 } = podOf('nginx').pod;
    expect(terminationGracePeriodSeconds).toBeGreaterThan(
      preStopOf(podOf('nginx')) + Number(seconds),
    );
  });

  it('should let nginx listen on its port, and ask the pods on theirs', () => {
    const start = read('deploy/kubernetes/components/nginx/start.sh');
    expect(portsOf(podOf('nginx')).map(String)).toEqual(start.match(/(?<=listen )\d+/g));
    for (const name of ['app', 'dashboard']) {
      const asked = start.match(new RegExp(`(?<=server ${name}\\.\\$domain:)\\d+`, 'g'));
      expect(portsOf(podOf(name)).map(String)).toEqual([...new Set(asked)]);
    }
  });
});
