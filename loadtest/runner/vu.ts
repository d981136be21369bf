// The thread of one VU: the script in a context of its own, and blocking calls as in k6.
import { SourceMap } from 'node:module';
import vm from 'node:vm';
import {
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  workerData,
} from 'node:worker_threads';
import type { Outcome } from './modules/entry.ts';
import type { Operation } from './modules/host.ts';

/** What the thread is started with. */
export interface Start {
  /** The text of the script; see readProgram. */
  code: string;
  file: string;
  /** `__VU`. */
  id: number;
  /** `__ENV`. */
  env: Record<string, string>;
  /** Not 0 once what was asked for on `port` has been answered. */
  answered: Int32Array;
  port: MessagePort;
}

const { code, file, id, env, answered, port } = workerData as Start;

/** Stands still for at most so many milliseconds, or until there is an answer. */
function wait(ms?: number): void {
  Atomics.wait(answered, 0, 0, ms);
  answered[0] = 0;
}

function host(operation: Operation, text: string): string {
  port.postMessage([operation, text]);
  if (operation === 'log') return '';
  if (operation === 'sleep') {
    wait(JSON.parse(text).value * 1000);
    return '';
  }
  wait();
  return receiveMessageOnPort(port)?.message ?? '';
}

// With a global object of its own, and not one of this realm behind it.
const context = vm.createContext(vm.constants.DONT_CONTEXTIFY);
const run = (text: string, filename: string) =>
  new vm.Script(text, { filename }).runInContext(context, { displayErrors: false });
// Made inside the context: a function of this realm would lead to Node's globals.
run('(host) => { globalThis.__host = (operation, text) => host(operation, text); }', 'host')(host);
run(`globalThis.__VU = ${id}; globalThis.__ENV = Object.freeze(${JSON.stringify(env)});`, 'env');

/** Places of an error as the author of the script knows them; places outside it are left out. */
function inSources(stack: string): string {
  const [, encoded = ''] = /sourceMappingURL=data:application\/json;base64,(.*)/.exec(code) ?? [];
  const map = new SourceMap(JSON.parse(Buffer.from(encoded, 'base64').toString()));
  return stack.replaceAll(/\n\s+at (.*)/g, (_whole, place: string) => {
    const [, line, column] = /:(\d+):(\d+)\)?$/.exec(place.includes(file) ? place : '') ?? [];
    if (!line) return '';
    const entry = map.findEntry(Number(line) - 1, Number(column) - 1);
    if (!('originalSource' in entry) || /runner\/modules\//.test(entry.originalSource)) return '';
    const [name] = /^[\w.]+(?= \()/.exec(place) ?? ['(init)'];
    return `\n    at ${name} (/${entry.originalSource}:${entry.originalLine + 1})`;
  });
}

try {
  run(code, file);
  parentPort?.postMessage(run('program.entry.declarations(program.script)', 'declarations'));
} catch (err) {
  const { stack, message } = err as Error;
  parentPort?.postMessage(JSON.stringify({ error: inSources(stack ?? message) }));
}

parentPort?.on('message', async (call: string) => {
  context.text = call;
  const text = await run('program.entry.call(program.script, text)', 'call');
  const outcome: Outcome = JSON.parse(text);
  if (outcome.error === undefined) return parentPort?.postMessage(text);
  parentPort?.postMessage(JSON.stringify({ ...outcome, error: inSources(outcome.error) }));
});
