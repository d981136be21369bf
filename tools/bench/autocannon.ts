// Runs autocannon for a Job, given as JSON; writes a Load as JSON.
import autocannon from 'autocannon';
import { percentile } from './figures.ts';
import { CONNECTIONS, type Job, type Load, RECONNECT_AFTER, TIMEOUT_SECONDS } from './load.ts';

const { url, seconds, cookies }: Job = JSON.parse(process.argv[2] ?? '');
const times: number[] = [];
let others = 0;
let clients = 0;

const run = autocannon(
  {
    url,
    connections: CONNECTIONS,
    duration: seconds,
    timeout: TIMEOUT_SECONDS,
    sampleInt: 100, // it ends with a sample
    reconnectRate: RECONNECT_AFTER,
    setupClient: (client) => {
      const cookie = cookies[clients % cookies.length];
      clients += 1;
      client.setHeaders({ accept: '*/*', ...(cookie && { cookie }) });
    },
  },
  (err, { duration, errors }) => {
    if (err) throw err;
    const [p50Ms, p99Ms] = [percentile(times, 0.5), percentile(times, 0.99)];
    const load: Load = { seconds: duration, requests: times.length, others, errors, p50Ms, p99Ms };
    console.log(JSON.stringify(load));
  },
);
// Its own histogram has whole milliseconds only.
run.on('response', (_client, status, _bytes, ms) => {
  if (status === 200) times.push(ms);
  else others += 1;
});
