// The module `k6/execution`.
import type { Options } from 'k6/options';
import { vu } from './host.ts';

export default {
  get scenario() {
    if (!vu.iteration) throw new Error('k6/execution: there is no iteration now');
    return vu.iteration;
  },
  test: {
    /** The options of the script, with those of the command line. */
    get options() {
      return vu.options as Options;
    },
  },
};
