import type { Nginx } from '../stack/nginx.ts';
import { SampleNginx } from './contestants/get-set-nginx.ts';

/** One way to answer a request, to be compared with the others. */
export interface Contestant {
  name: string;
  /** What it does, in a line. */
  what: string;
  /** The program of its instances in contestants/; this project as `npm start` runs it if not said. */
  program?: string;
  path: string;
  instances: number;
  /** What is in front of its instances; the project's nginx if not said. */
  nginx?: typeof Nginx;
  /** It counts, and answers `Views: N`. */
  counts: boolean;
  /** It answers from a cache, which is filled anew before each measurement. */
  isCached?: boolean;
}

/** What the others are compared with. */
export const BASELINE = 'bare';

const COUNTER = { path: '/', instances: 3, counts: true };

export const contestants: readonly Contestant[] = [
  {
    ...COUNTER,
    name: BASELINE,
    what: 'Express 5 answering a constant',
    program: 'bare.ts',
    counts: false,
  },
  {
    ...COUNTER,
    name: 'article',
    what: 'express-session and connect-redis, the views a field of the session',
    program: 'article.ts',
  },
  {
    ...COUNTER,
    name: 'get-set',
    what: 'no sessions: one counter by GET and SET; nginx opens a connection for each request',
    program: 'get-set.ts',
    instances: 2,
    nginx: SampleNginx,
  },
  {
    ...COUNTER,
    name: 'pipeline',
    what: 'no session middleware: GET of the session and INCR of its views, sent together',
    program: 'pipeline.ts',
  },
  {
    ...COUNTER,
    name: 'pipeline-no-timeout',
    what: 'the same, without a timeout for each command',
    program: 'pipeline-no-timeout.ts',
  },
  {
    ...COUNTER,
    name: 'views',
    what: 'this project, `GET /`: one view of the session counted',
  },
  {
    name: 'data',
    what: 'this project, `GET /data`: a hit of the shared cache',
    path: '/data',
    instances: 3,
    counts: false,
    isCached: true,
  },
];
