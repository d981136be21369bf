import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Environment variables with which any Node takes itself for Node 20. The Node that this project has
 * downloaded into `cache` does not.
 */
export function oldNode(cache: string): NodeJS.ProcessEnv {
  const preload = join(cache, 'old-node.cjs');
  const version = "Object.defineProperty(process, 'version', { value: 'v20.20.2' })";
  writeFileSync(preload, `process.execPath.startsWith('${cache}/') || ${version};\n`);
  return { NODE_OPTIONS: `--require ${preload}`, XDG_CACHE_HOME: cache };
}
