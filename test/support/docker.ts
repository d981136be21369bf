import { spawnSync } from 'node:child_process';

/** Why no containers can be run here; `undefined` where they can. */
export function dockerMissing(): string | undefined {
  for (const args of [['info'], ['compose', 'version']]) {
    const { status, stderr, error } = spawnSync('docker', args, { encoding: 'utf8' });
    if (status !== 0) return (error?.message ?? stderr).trim().split('\n').at(-1);
  }
  return undefined;
}

/** Runs `docker` and returns what it printed. Throws where it fails. */
export function docker(args: string[], env: NodeJS.ProcessEnv = {}): string {
  const { status, stdout, stderr } = spawnSync('docker', args, {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  if (status !== 0) throw new Error(`docker ${args.join(' ')}: ${stderr}`);
  return stdout;
}
