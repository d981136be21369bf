import { Visitor } from '../../../tools/lib/visitor.ts';
import { type Exercise, must } from '../../kit/exercise.ts';
import { viewsOf } from '../../kit/exercise-client.ts';

const VIEWS = 9;

const exercise: Exercise = {
  lesson: 'shared-counter',
  rule: 'State that outlives a request, or that another process needs, belongs in Redis.',
  steps: [
    {
      title: 'One visitor has one session on all instances',
      async run(deployment) {
        const visitor = new Visitor(deployment.url);
        const seen: number[] = [];
        const cookies = new Set<string>();
        for (let i = 0; i < VIEWS; i += 1) {
          seen.push(await viewsOf(visitor));
          cookies.add(visitor.cookie);
        }
        const shown = `The visitor viewed the page ${VIEWS} times and saw ${seen.join(' ')}.`;
        const keys = Number(await deployment.redis('DBSIZE'));
        if (seen.at(-1) !== VIEWS) {
          must(
            keys > 0,
            `${shown} Redis is empty: each instance keeps its sessions in its own memory, and knows no others.`,
          );
          const all = (await deployment.redis('KEYS', '*')).split('\n');
          const prefixes = new Set(all.map((key) => key.slice(0, key.lastIndexOf(':'))));
          must(
            prefixes.size === 1,
            `${shown} The keys in Redis begin with ${[...prefixes].join(', ')}: an instance does not look at the keys of another one. All need the same prefix.`,
          );
          must(
            cookies.size === 1,
            `${shown} Redis has ${keys} sessions for one visitor: an instance does not accept the cookie that another one signed. All need the same secret.`,
          );
        }
        must(seen.at(-1) === VIEWS, `${shown} The last number has to be ${VIEWS}.`);
        must(
          keys > 0,
          `${shown} But Redis is empty, so the number is not on the server. A visitor can change or repeat what only the cookie holds.`,
        );
        return seen.join(' ');
      },
    },
    {
      title: 'The session survives the crash of an instance',
      async run(deployment) {
        const visitor = new Visitor(deployment.url);
        await viewsOf(visitor);
        await deployment.control('kill', 'app-1');
        const seen: number[] = [];
        for (let i = 0; i < 4; i += 1) seen.push(await viewsOf(visitor));
        must(
          seen.at(-1) === 5,
          `After one view, app-1 crashed. The next views were ${seen.join(' ')}, not 2 3 4 5.`,
        );
        return seen.join(' ');
      },
    },
    {
      title: 'A session ends some day: its key has a time to live',
      async run(deployment) {
        const keys = (await deployment.redis('KEYS', '*')).split('\n');
        const ttls = await Promise.all(keys.map((key) => deployment.redis('TTL', key)));
        const endless = keys.find((_, i) => Number(ttls[i]) < 0);
        must(
          endless === undefined,
          `The key ${endless} never expires. Every visitor leaves one, until the memory is full.`,
        );
        return `${ttls[0]} s`;
      },
    },
  ],
};

export default exercise;
