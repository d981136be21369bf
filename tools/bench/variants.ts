import type { Stack } from '../stack/stack.ts';
import { useMinimalConfiguration, useSampleConfiguration } from './variants/nginx.ts';

/** One way to answer a request, compared with the others. */
export interface Variant {
  name: string;
  /** A description in one line. */
  what: string;
  /** For a Stack; it has a route `/readyz`. Variants with the same program, `env` and `configure` share a stack. */
  program: string;
  env?: NodeJS.ProcessEnv;
  instances: number;
  /** Replaces the configuration of nginx, if the variant uses another one. */
  configure?: (stack: Stack) => Promise<void>;
  path: string;
  /** The JSON body of a POST request; a GET request without one. */
  body?: object;
  /** The requests have no cookie. */
  isStranger?: boolean;
  /** The reply is `Views: N`. */
  counts: boolean;
  /** The reply comes from a cache, which is emptied and filled before each measurement. */
  isCached?: boolean;
}

export const BASELINE = 'bare';
/** All variants are compared with this one too: it shows what their configuration of nginx costs. */
export const MINIMAL_NGINX = 'bare-minimal-nginx';

const FOLDER = 'tools/bench/variants';
const COUNTER = { path: '/', instances: 3, counts: true };
const OURS = { ...COUNTER, program: 'app' };

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
    name: MINIMAL_NGINX,
    what: 'the same behind an nginx that only passes requests on',
    program: `${FOLDER}/bare.ts`,
    counts: false,
    configure: useMinimalConfiguration,
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
    name: 'data',
    what: 'this project, `GET /data`: a hit of the shared cache',
    path: '/data',
    counts: false,
    isCached: true,
  },
  {
    ...OURS,
    name: 'cart',
    what: 'this project, `POST /cart`: visitors with a session add to an item',
    path: '/cart',
    body: { item: 'tea', quantity: 1 },
    counts: false,
  },
  {
    ...OURS,
    name: 'stranger',
    what: 'this project, `GET /` without a cookie: each request starts a session',
    counts: false,
    isStranger: true,
  },
];
