import { createHash } from 'node:crypto';
import type { Group } from '../lib/summary-data.ts';

/** Counts how each check came out, group by group. */
export class Checks {
  readonly root = newGroup('', '');

  /** @param path the names of nested groups, each after `::`; empty at the top */
  add(path: string, name: string, passed: boolean): void {
    let group = this.root;
    for (const part of path.split('::').slice(1)) {
      const inner = group.groups.find((one) => one.name === part);
      if (!inner) group.groups.push(newGroup(part, `${group.path}::${part}`));
      group = inner ?? (group.groups.at(-1) as Group);
    }
    let check = group.checks.find((one) => one.name === name);
    if (!check) {
      const own = `${group.path}::${name}`;
      check = { name, path: own, id: idOf(own), passes: 0, fails: 0 };
      group.checks.push(check);
    }
    if (passed) check.passes += 1;
    else check.fails += 1;
  }
}

function newGroup(name: string, path: string): Group {
  return { name, path, id: idOf(path), groups: [], checks: [] };
}

/** k6 names groups and checks by the MD5 sum of their path. */
function idOf(path: string): string {
  return createHash('md5').update(path).digest('hex');
}
