import { describe, expect, it } from 'vitest';
import { freePort } from '../../tools/stack/port.ts';
import { NOTE, runScript, Target } from '../support/load-runner.ts';

// See https://grafana.com/docs/k6/latest/javascript-api/k6-http/ and …/error-codes/

/** Runs an iteration's code against a server of its own, and gives back what there is to see. */
async function iterate(source: string, more: { options?: string; lines?: boolean } = {}) {
  const { options = '', lines = false } = more;
  const server = await Target.start();
  await using _ending = server;
  const outcome = await runScript(
    `import { group } from 'k6';
    ${NOTE} export const options = { ${options} };
    export default function () { ${source} }`,
    { server, lines },
  );
  expect(outcome.code).toBe(0);
  return { ...outcome, server };
}

describe('a request', () => {
  it('should be sent with its method, and with a body if the method allows one', async () => {
    const { server } = await iterate(`
      http.get(URL + '/x');
      http.head(URL + '/x');
      http.post(URL + '/x', 'text');
      http.put(URL + '/x', 'text');
      http.patch(URL + '/x', 'text');
      http.del(URL + '/x', 'text');
      http.request('options', URL + '/x');`);
    expect(server.arrivals.map(({ method, body }) => [method, body])).toEqual([
      ['GET', ''],
      ['HEAD', ''],
      ['POST', 'text'],
      ['PUT', 'text'],
      ['PATCH', 'text'],
      ['DELETE', 'text'],
      ['OPTIONS', ''],
    ]);
  });

  it('should carry the headers that are asked for, and no Accept-Encoding', async () => {
    const { server } = await iterate(`http.get(URL, { headers: { 'X-Asked': 'yes' } });`);
    const [{ headers = {} } = {}] = server.arrivals;
    expect(headers['x-asked']).toBe('yes');
    expect(headers).not.toHaveProperty('accept-encoding');
    expect(headers).not.toHaveProperty('cookie');
  });

  it('should carry an object as a form, and a text as it is', async () => {
    const { server } = await iterate(`
      http.post(URL + '/form', { name: 'Ada & Bob', sum: 1.5, sign: 'é+' });
      http.post(URL + '/text', 'name=Ada');`);
    const [form] = server.to('/form');
    expect(form?.headers['content-type']).toBe('application/x-www-form-urlencoded');
    const fields = Object.fromEntries(new URLSearchParams(form?.body));
    expect(fields).toEqual({ name: 'Ada & Bob', sum: '1.5', sign: 'é+' });
    const [plain] = server.to('/text');
    expect(plain?.body).toBe('name=Ada');
    expect(plain?.headers).not.toHaveProperty('content-type');
  });

  it('should be tagged with its properties, its group and its own tags', async () => {
    const { lines, server } = await iterate(
      `http.get(URL + '/plain');
      group('outer', () => group('inner', () => {
        http.post(URL + '/status/404', null, { tags: { name: 'missing', kind: 'extra' } });
      }));`,
      { lines: true },
    );
    for (const metric of ['http_reqs', 'http_req_duration', 'http_req_failed']) {
      const points = lines.filter((line) => line.type === 'Point' && line.metric === metric);
      const url = `${server.url}/plain`;
      expect(points.map(({ data }) => data.tags)).toMatchObject([
        {
          ...{ method: 'GET', status: '200', name: url, url, scenario: 'default', group: '' },
          expected_response: 'true',
        },
        // k6 gives `url` the value of a `name` that was set, so that both stay few.
        {
          ...{ method: 'POST', status: '404', name: 'missing', url: 'missing', kind: 'extra' },
          ...{ group: '::outer::inner', error_code: '1404', expected_response: 'false' },
        },
      ]);
    }
  });
});

describe('a reply', () => {
  it('should have its headers under canonical names', async () => {
    const { server } = await iterate(`note(http.get(URL).headers);`);
    expect(server.notes).toMatchObject([{ 'X-Two-Words': 'seen', Etag: '"1"' }]);
  });

  it('should give its body as text, as JSON, and parts of it', async () => {
    const { server } = await iterate(`
      const res = http.get(URL + '/json');
      note([res.body, res.json(), res.json('items.1.id'), res.json('of.shop'), res.status_text]);`);
    const body = '{"items":[{"id":7},{"id":8}],"of":{"shop":"small"}}';
    expect(server.notes).toEqual([[body, JSON.parse(body), 8, 'small', '200 OK']]);
  });

  it('should say how long it took, in parts', async () => {
    const { server, summary } = await iterate(`note(http.get(URL + '/delay/200').timings);`);
    const [{ duration, sending, waiting, receiving }] = server.notes;
    expect(sending + waiting + receiving).toBeCloseTo(duration, 3);
    expect(waiting).toBeGreaterThan(180);
    expect(summary.metrics.http_req_duration?.values.max).toBeCloseTo(duration, 3);
  });

  it('should count as failed where its status is not 200 to 399', async () => {
    const { server, summary } = await iterate(`
      note([200, 204, 304, 400, 404, 500, 503].map((status) => {
        const { error_code, timings } = http.get(URL + '/status/' + status);
        return error_code;
      }));`);
    // k6's codes for statuses from 400 are 1000 more; the note itself is the eighth request.
    expect(server.notes).toEqual([[0, 0, 0, 1400, 1404, 1500, 1503]]);
    expect(summary.metrics.http_req_failed?.values).toEqual({ rate: 0.5, passes: 4, fails: 4 });
  });
});

describe('redirects', () => {
  it('should be followed 10 times or as often as asked, and each be counted', async () => {
    const { server, summary } = await iterate(`
      note([{}, { redirects: 3 }, { redirects: 0 }].map((params) => {
        http.get(URL + '/mark');
        return http.get(URL + '/loop', params).status;
      }));`);
    expect(server.notes).toEqual([[302, 302, 302]]);
    const hops = server.paths.join(' ').split('/mark').slice(1);
    expect(hops.map((paths) => paths.match(/\/loop/g)?.length)).toEqual([11, 4, 1]);
    expect(summary.metrics.http_reqs?.values.count).toBe(11 + 4 + 1 + 3 + 1);
  });

  it('should not be followed to an address that is none, and the run goes on', async () => {
    const { code, server } = await iterate(`
      note([http.get(URL + '/astray').status, http.get(URL + '/plain').status]);`);
    expect(server.notes).toEqual([[302, 200]]);
    expect(code).toBe(0);
  });

  it('should make a GET without body of a POST, except with 307 and 308', async () => {
    const { server } = await iterate(`
      note([301, 302, 303, 307, 308].map((status) => {
        const { url } = http.post(URL + '/redirect/' + status + '/there', 'body');
        return url;
      }));`);
    expect(server.to('/there').map(({ method, body }) => [method, body])).toEqual([
      ['GET', ''],
      ['GET', ''],
      ['GET', ''],
      ['POST', 'body'],
      ['POST', 'body'],
    ]);
    expect(server.notes).toEqual([Array(5).fill(`${server.url}/there`)]);
  });
});

describe('an error below HTTP', () => {
  it('should not throw, but be told, logged and counted', async () => {
    const free = await freePort('127.0.0.1');
    const { server, stderr, summary } = await iterate(`
      const replies = [
        http.get('http://127.0.0.1:${free}'),
        http.get(URL + '/reset'),
        http.get(URL + '/silent', { timeout: '300ms' }),
        http.get(URL + '/silent', { timeout: 300 }),
      ];
      for (const { status, error, error_code } of replies) note([status, error_code, error !== '']);`);
    expect(server.notes).toEqual([
      [0, 1212, true],
      [0, 1220, true],
      [0, 1050, true],
      [0, 1050, true],
    ]);
    expect(stderr.match(/Request Failed/g)).toHaveLength(4);
    expect(summary.metrics.http_req_failed?.values).toEqual({ rate: 0.5, passes: 4, fails: 4 });
    expect(summary.metrics.iterations?.values.count).toBe(1);
  });
});

describe('cookies', () => {
  it.each([
    [
      'be kept within an iteration, not after it',
      'iterations: 2',
      [undefined, 'id=7', undefined, 'id=7'],
    ],
    [
      'be kept if so asked',
      'iterations: 2, noCookiesReset: true',
      [undefined, 'id=7', 'id=7', 'id=7'],
    ],
  ])('should %s', async (_what, options, expected) => {
    const { server } = await iterate(
      `http.get(URL + '/seen');
      http.get(URL + '/cookie/id/7');
      http.get(URL + '/seen');`,
      { options },
    );
    expect(server.to('/seen').map(({ headers }) => headers.cookie)).toEqual(expected);
  });

  it('should be kept apart for each VU', async () => {
    const { server } = await iterate(
      `http.get(URL + '/cookie/id/' + __VU);
      http.get(URL + '/delay/300');
      http.post(URL + '/seen', String(__VU));`,
      { options: `scenarios: { one: { executor: 'per-vu-iterations', vus: 2 } }` },
    );
    const seen = server.to('/seen').map(({ headers, body }) => [body, headers.cookie]);
    expect(seen.sort()).toEqual([
      ['1', 'id=1'],
      ['2', 'id=2'],
    ]);
  });
});

describe('batch', () => {
  it('should send its requests at once, and answer in their order', async () => {
    const { server, summary } = await iterate(`
      const replies = http.batch([
        ['GET', URL + '/delay/500'],
        { method: 'POST', url: URL + '/delay/300', body: { a: '1' } },
        URL + '/json',
        ['GET', URL + '/status/404', null, { tags: { name: 'missing' } }],
      ]);
      note(replies.map(({ status, body, url }) => [status, body.length, url]));`);
    const paths = ['/delay/500', '/delay/300', '/json', '/status/404'];
    expect(server.paths.slice(0, 4).sort()).toEqual(paths.toSorted());
    expect(server.bodies('/delay/300')).toEqual(['a=1']);
    expect(server.mostAtOnce).toBeGreaterThanOrEqual(2);
    const [told] = server.notes;
    expect(told.map(([, , url]: string[]) => url)).toEqual(paths.map((path) => server.url + path));
    expect(told.map(([status]: number[]) => status)).toEqual([200, 200, 200, 404]);
    expect(summary.metrics.http_reqs?.values.count).toBe(5);
  });
});
