import { Agent, request } from 'node:http';

/** The connections stay open between two scrapes, so that the end of a process is seen at once. */
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

/**
 * Why there are no metrics. `silent`: the process accepted the connection but sent nothing, so it
 * hangs. `closed`: nothing accepts connections there. `refused`: the reply had another status.
 */
export type ScrapeFailure = 'silent' | 'closed' | 'refused';

/**
 * Reads the metrics of an instance. Never rejects.
 *
 * @param address host and port
 * @param timeoutMs milliseconds for the connection and the whole reply
 * @param onClose is called when the connection that was opened for it has closed, for any reason
 */
export function scrape(
  address: string,
  timeoutMs: number,
  onClose: () => void,
): Promise<{ text: string } | { failure: ScrapeFailure }> {
  const { promise, resolve } = Promise.withResolvers<
    { text: string } | { failure: ScrapeFailure }
  >();
  let isConnected = false;
  const signal = AbortSignal.timeout(timeoutMs);
  const req = request(`http://${address}/metrics`, { agent, signal });
  req.once('socket', (socket) => {
    isConnected = req.reusedSocket;
    if (isConnected) return;
    socket.once('connect', () => {
      isConnected = true;
      socket.once('close', onClose);
    });
  });
  req.once('response', async (res) => {
    try {
      res.setEncoding('utf8');
      const text = (await res.toArray()).join('');
      resolve(res.statusCode === 200 ? { text } : { failure: 'refused' });
    } catch {
      resolve({ failure: 'silent' });
    }
  });
  req.once('error', () => {
    const hasTimedOut = signal.aborted;
    resolve({ failure: isConnected && hasTimedOut ? 'silent' : 'closed' });
  });
  req.end();
  return promise;
}
