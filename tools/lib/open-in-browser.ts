import { spawn } from 'node:child_process';

/** The command that opens an address in the default browser. */
const OPENERS: Partial<Record<NodeJS.Platform, [string, ...string[]]>> = {
  darwin: ['open'],
  win32: ['cmd', '/c', 'start', ''], // the first argument in quotes would be a title
};

/** Opens an address in the default browser, or with the program BROWSER. Without one, it does nothing. */
export function openInBrowser(address: string): void {
  const { BROWSER } = process.env;
  const [file, ...args] = (!BROWSER && OPENERS[process.platform]) || [BROWSER || 'xdg-open'];
  const child = spawn(file, [...args, address], { detached: true, stdio: 'ignore' });
  child.on('error', () => {}); // there is none
  child.unref();
}
