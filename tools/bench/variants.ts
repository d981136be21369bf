import type { Stack } from '../stack/stack.ts';
import { useSampleConfiguration } from './variants/get-set-nginx.ts';

/** One way to answer a request, compared with the others. */
export interface Variant {
  name: string;
  /** A description in one line. */
  what: string;
  /** For a Stack; it has a route `/readyz`. The same program and `env` share a stack. */
  program: string;
  env?: NodeJS.ProcessEnv;
  instances: number;
  /** Replaces the configuration of nginx, if the variant uses another one. */
  configure?: (stack: Stack) => Promise<void>;
  path: string;
  /** The reply is `Views: N`. */
  counts: boolean;
  /** The reply comes from a cache, which is emptied and filled before each measurement. */
  isCached?: boolean;
}

export const BASELINE = 'bare';
/** Pairs of variants with and without the fast path: their ratio is its gain. */
export const FAST_PATH = [
  ['views', 'views-no-fast-path'],
  ['data', 'data-no-fast-path'],
] as const;

const FOLDER = 'tools/bench/variants';
const COUNTER = { path: '/', instances: 3, counts: true };
const OURS = { ...COUNTER, program: 'app' };
const DATA = { ...OURS, path: '/data', counts: false, isCached: true };
const NO_FAST_PATH = { FAST_PATH: 'off' };

export const variants: readonly Variant[] = [
  {
    ...COUNTER,
    name: BASELINE,
    what: 'Express 5 answering a constant',
    program: `${FOLDER}/bare.ts`,
    counts: false,
  },
  {
    ...COUNTER,
    name: 'article',
    what: 'express-session and connect-redis, the views a field of the session',
    program: `${FOLDER}/article.ts`,
  },
  {
    ...COUNTER,
    name: 'get-set',
    what: 'no sessions: one counter by GET and SET; nginx opens a connection for each request',
    program: `${FOLDER}/get-set.ts`,
    instances: 2,
    configure: useSampleConfiguration,
  },
  {
    ...COUNTER,
    name: 'minimal',
    what: 'express-session and connect-redis, the views an atomic counter',
    program: 'minimal',
  },
  {
    ...COUNTER,
    name: 'pipeline',
    what: 'no session middleware: GET of the session and INCR of its views, sent together',
    program: `${FOLDER}/pipeline.ts`,
  },
  {
    ...COUNTER,
    name: 'pipeline-no-timeout',
    what: 'the same, without a timeout for each command',
    program: `${FOLDER}/pipeline.ts`,
    env: { COMMAND_TIMEOUT: 'off' },
  },
  { ...OURS, name: 'views', what: 'this project, `GET /`: one view of the session counted' },
  {
    ...OURS,
    name: 'views-no-fast-path',
    what: 'the same with `FAST_PATH=off`: all views use the session middleware',
    env: NO_FAST_PATH,
  },
  { ...DATA, name: 'data', what: 'this project, `GET /data`: a hit of the shared cache' },
  {
    ...DATA,
    name: 'data-no-fast-path',
    what: 'the same with `FAST_PATH=off`: without prepared replies',
    env: NO_FAST_PATH,
  },
];
