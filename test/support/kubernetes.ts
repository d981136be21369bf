import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { findProgram } from '../../tools/lib/programs.mjs';
import { ROOT } from '../../tools/lib/root.mjs';
import type { Manifest } from './manifest.ts';

/** Relative to the project. */
export const OVERLAYS = 'deploy/kubernetes/overlays';

/** The names of the overlays. */
export const overlays = readdirSync(join(ROOT, OVERLAYS));

export const kubectl = findProgram('kubectl');
const kustomize = findProgram('kustomize');
const builder = kustomize ? [kustomize, 'build'] : kubectl && [kubectl, 'kustomize'];

/** Why no overlay can be built here; `undefined` if it can. */
export const kustomizeMissing = builder ? undefined : 'neither kustomize nor kubectl is installed';

/** Builds an overlay, as `kubectl apply -k` does. */
export function build(overlay: string): Manifest[] {
  const [program = '', ...args] = builder || [];
  const { status, stdout, stderr } = spawnSync(program, [...args, join(ROOT, OVERLAYS, overlay)], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${overlay} cannot be built: ${stderr}`);
  return parseAllDocuments(stdout).map((document) => document.toJS());
}

/** The resources of one kind. */
export function ofKind<K extends Manifest['kind']>(manifests: Manifest[], kind: K) {
  return manifests.filter((its): its is Extract<Manifest, { kind: K }> => its.kind === kind);
}

/**
 * Why no test can run in a cluster; `undefined` if KUBECONFIG names a cluster that answers. It must be
 * on this machine, as with kind: a test must not change a cluster in which others work.
 */
export function clusterMissing(): string | undefined {
  if (!process.env.KUBECONFIG) return 'KUBECONFIG is not set';
  if (!kubectl) return 'kubectl is not installed';
  const ask = (...args: string[]) => spawnSync(kubectl as string, args, { encoding: 'utf8' });
  const server = ask('config', 'view', '--minify', '-o', 'jsonpath={.clusters[0].cluster.server}');
  if (!/^https?:\/\/(127\.|localhost|\[::1\])/.test(server.stdout)) {
    return 'the server of KUBECONFIG is not on this machine';
  }
  const { status } = ask('version', '--request-timeout=5s');
  return status === 0 ? undefined : 'the server of KUBECONFIG does not answer';
}
