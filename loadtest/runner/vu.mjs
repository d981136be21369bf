// @ts-check
// The thread of one VU: Node loads the script, with the modules of k6 from ./modules. It is in
// JavaScript, since removing the types in each thread would take 15 MB.
import { readFileSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { format } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';

/**
 * What the thread is started with.
 * @typedef {object} Start
 * @property {string} file the script
 * @property {number} id `__VU`
 * @property {Record<string, string>} env `__ENV`
 * @property {Record<string, string>} sources JavaScript by URL, from the first thread
 * @property {import('node:worker_threads').MessagePort} port
 * @property {Int32Array} answered 1 when the replies have come
 */

/**
 * A call of a function of the script. Its argument is JSON, so that each call has a copy.
 * @typedef {object} Call
 * @property {string} name
 * @property {string | undefined} [json]
 * @property {unknown} [options]
 * @property {import('./modules/host.ts').Iteration} [iteration]
 * @property {number} [iterationOfVu] `__ITER`
 */

const { file, id, env, sources } = /** @type {Start} */ (workerData);

process.removeAllListeners('warning'); // stripTypeScriptTypes is called experimental
registerHooks({
  resolve: (specifier, context, next) => {
    if (!/^k6(\/|$)/.test(specifier)) return next(specifier, context);
    const url = new URL(`modules/${specifier.split('/').at(-1)}.ts`, import.meta.url).href;
    return { url, shortCircuit: true };
  },
  load: (url, context, next) => {
    if (!url.endsWith('.ts')) return next(url, context);
    sources[url] ??= stripTypeScriptTypes(readFileSync(fileURLToPath(url), 'utf8'));
    return { format: 'module', source: sources[url], shortCircuit: true };
  },
});

const { tell, vu } = await import('./modules/host.ts');

const methods = ['log', 'info', 'debug', 'warn', 'error'].map((name) => {
  const level = name === 'log' ? 'info' : name;
  const write = (/** @type {unknown[]} */ ...words) => tell({ line: [level, format(...words)] });
  return [name, write];
});
Object.assign(globalThis, { __ENV: env, __VU: id, console: Object.fromEntries(methods) });

/** @type {Record<string, any>} */
let script = {};
try {
  script = await import(pathToFileURL(file).href);
  vu.inInit = false;
  const functions = Object.keys(script).filter((name) => typeof script[name] === 'function');
  const options = JSON.parse(JSON.stringify(script.options ?? {}));
  parentPort?.postMessage({ options, functions, metrics: vu.declared, sources });
} catch (err) {
  parentPort?.postMessage({ error: describe(err) });
}

parentPort?.on('message', (/** @type {Call} */ { name, json, ...call }) => {
  Object.assign(vu, { options: call.options, iteration: call.iteration });
  Object.assign(globalThis, { __ITER: call.iterationOfVu });
  /** @type {{ json?: string; error?: string }} */
  const outcome = {};
  try {
    const value = script[name](json === undefined ? undefined : JSON.parse(json));
    if (value !== undefined && !call.iteration) outcome.json = JSON.stringify(value);
  } catch (err) {
    outcome.error = describe(err);
  }
  parentPort?.postMessage({ ...outcome, samples: vu.samples.splice(0) });
});

/** An error with its places in the script, without those in this folder and in Node. */
function describe(/** @type {unknown} */ err) {
  const lines = (err instanceof Error && err.stack ? err.stack : String(err)).split('\n');
  const isOutside = (/** @type {string} */ line) =>
    /^\s+at /.test(line) && (!line.includes('file://') || line.includes('/loadtest/runner/'));
  return lines.filter((line) => !isOutside(line)).join('\n');
}
