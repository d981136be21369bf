// The module `k6/execution`.
import { ask, type Iteration, strict, vu } from './host.ts';

declare const __VU: number;

function iteration(): Iteration {
  if (!vu.iteration) throw new Error('k6/execution: there is no iteration in the init context');
  return vu.iteration;
}

export const scenario = strict('exec.scenario', {
  get name() {
    return iteration().scenario;
  },
  get startTime() {
    return iteration().scenarioStart;
  },
  get iterationInTest() {
    return iteration().iterationInTest;
  },
});

const user = strict('exec.vu', {
  get idInTest() {
    return __VU;
  },
  get iterationInScenario() {
    return iteration().iterationInScenario;
  },
});

export const test = strict('exec.test', {
  /** Ends the whole run, with exit code 108. */
  abort(reason = 'test aborted') {
    ask('abort', reason);
  },
});

export { user as vu };
export default { scenario, test, vu: user };
