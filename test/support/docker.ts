import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  DockerComposeEnvironment,
  type StartedDockerComposeEnvironment,
  Wait,
} from 'testcontainers';
import { ROOT } from '../../tools/lib/root.mjs';
import { Running } from '../../tools/lib/running.ts';

/** Milliseconds. Images may have to be built and pulled first. */
export const UP_MS = 300_000;

/** Returns why containers cannot run here, or `undefined` if they can. */
export function dockerMissing(): string | undefined {
  for (const args of [['info'], ['compose', 'version']]) {
    const { status, stderr, error } = spawnSync('docker', args, { encoding: 'utf8' });
    if (status !== 0) return (error?.message ?? stderr).trim().split('\n').at(-1);
  }
  return undefined;
}

/** Runs `docker` and returns its output. Throws if it fails. */
export function docker(args: string[], env: NodeJS.ProcessEnv = {}): string {
  const { status, stdout, stderr } = spawnSync('docker', args, {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  if (status !== 0) throw new Error(`docker ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** The environment in which `docker compose` works on a project, with its default settings. */
function environmentOf(project: string): NodeJS.ProcessEnv {
  return { COMPOSE_PROJECT_NAME: project, HTTP_PORT: '0', NODE_ENV: '' };
}

/** The stack of docker-compose.yml and of files that change it, in containers and on its own port. */
export class ComposeStack implements AsyncDisposable {
  readonly project: string;
  #environment: StartedDockerComposeEnvironment;
  #files: string[];

  /**
   * @param settings additional environment variables for `docker compose up`
   * @param more files after docker-compose.yml
   */
  static async start(
    settings: Record<string, string> = {},
    more: string[] = [],
  ): Promise<ComposeStack> {
    const files = ['docker-compose.yml', ...more];
    const project = `shared-state-test-${randomBytes(4).toString('hex')}`;
    const env = { ...process.env, ...environmentOf(project), ...settings };
    const environment = await new DockerComposeEnvironment(ROOT, files)
      .withProjectName(project)
      .withBuild()
      .withEnvironment(env as Record<string, string>)
      .withWaitStrategy('nginx-1', Wait.forHealthCheck())
      .withStartupTimeout(UP_MS)
      .up();
    return new ComposeStack(project, environment, files);
  }

  private constructor(
    project: string,
    environment: StartedDockerComposeEnvironment,
    files: string[],
  ) {
    this.project = project;
    this.#files = files.flatMap((file) => ['--file', file]);
    this.#environment = environment;
  }

  /** The address of nginx, if it listens on the port of docker-compose.yml. */
  get url(): string {
    const nginx = this.#environment.getContainer('nginx-1');
    return `http://localhost:${nginx.getMappedPort(8080)}`;
  }

  /** Runs `docker compose WORDS` for this stack and returns its output. No test can run meanwhile. */
  run(words: string[], env: NodeJS.ProcessEnv = {}): string {
    return docker(['compose', '--project-directory', ROOT, ...this.#files, ...words], {
      ...environmentOf(this.project),
      ...env,
    });
  }

  /** Starts a program in the root folder that works on this stack, beside the test. */
  start(file: string, args: string[], env: NodeJS.ProcessEnv = {}): Running {
    return new Running(file, args, { ...environmentOf(this.project), ...env });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#environment.down({ removeVolumes: true, timeout: 10_000 });
  }
}
