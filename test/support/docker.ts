import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  DockerComposeEnvironment,
  type StartedDockerComposeEnvironment,
  Wait,
} from 'testcontainers';
import { ROOT } from '../../tools/lib/root.mjs';

/** Milliseconds: the image may have to be built, and others to be pulled. */
export const UP_MS = 300_000;

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

/** The stack as containers, as docker-compose.yml has it, on a port of its own. */
export class ComposeStack implements AsyncDisposable {
  readonly project: string;
  readonly url: string;
  #environment: StartedDockerComposeEnvironment;

  /** @param env what is set for `docker compose up` besides */
  static async start(env: Record<string, string> = {}): Promise<ComposeStack> {
    const project = `shared-state-test-${randomBytes(4).toString('hex')}`;
    const environment = await new DockerComposeEnvironment(ROOT, 'docker-compose.yml')
      .withProjectName(project)
      .withBuild()
      .withEnvironment({ ...process.env, HTTP_PORT: '0', ...env } as Record<string, string>)
      .withWaitStrategy('nginx-1', Wait.forHealthCheck())
      .withStartupTimeout(UP_MS)
      .up();
    return new ComposeStack(project, environment);
  }

  private constructor(project: string, environment: StartedDockerComposeEnvironment) {
    this.project = project;
    this.#environment = environment;
    this.url = `http://localhost:${environment.getContainer('nginx-1').getMappedPort(8080)}`;
  }

  /** `docker compose WORDS` of this stack; returns what it printed. */
  run(words: string[], env: NodeJS.ProcessEnv = {}): string {
    const where = ['--project-directory', ROOT, '-p', this.project];
    return docker(['compose', ...where, ...words], { HTTP_PORT: '0', ...env });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#environment.down({ removeVolumes: true, timeout: 10_000 });
  }
}
