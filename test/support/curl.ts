import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** A reply as curl received it. */
export interface CurlReply {
  /** The version of HTTP: `1.1`, `2` or `3`. */
  version: string;
  status: number;
  /** By name, in lower case. */
  headers: Map<string, string>;
  body: string;
}

/**
 * Sends one request with curl, which knows TLS, HTTP/2 and the rules of browsers for cookies.
 * Rejects with the exit code of curl if there is no reply.
 */
export async function curl(url: string, ...options: string[]): Promise<CurlReply> {
  const words = ['--silent', '--show-error', '--noproxy', '*', '--include', ...options, url];
  const { stdout } = await promisify(execFile)('curl', words);
  return parseReply(stdout);
}

/** Reads what `curl --include` prints. */
export function parseReply(printed: string): CurlReply {
  const [head = '', ...rest] = printed.split('\r\n\r\n');
  const [first = '', ...lines] = head.split('\r\n');
  const [, version = '', status] = /^HTTP\/([\d.]+) (\d+)/.exec(first) ?? [];
  const headers = lines.map((line): [string, string] => {
    const [name = '', ...value] = line.split(': ');
    return [name.toLowerCase(), value.join(': ')];
  });
  return {
    version,
    status: Number(status),
    headers: new Map(headers),
    body: rest.join('\r\n\r\n'),
  };
}
