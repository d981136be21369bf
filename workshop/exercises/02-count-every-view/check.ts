import { Visitor } from '../../../tools/lib/visitor.ts';
import { type Exercise, must } from '../../kit/exercise.ts';
import { viewsOf } from '../../kit/exercise-client.ts';

const VIEWS = 200;

const exercise: Exercise = {
  lesson: 'lost-updates',
  rule: 'A number that many requests change is changed in Redis, in one step.',
  steps: [
    {
      title: 'Each visitor has a counter, and it goes on over all instances',
      async run({ url }) {
        const [ada, ben] = [new Visitor(url), new Visitor(url)];
        const seen: number[] = [];
        for (const visitor of [ada, ada, ada, ada, ben]) seen.push(await viewsOf(visitor));
        const shown = seen.join(' ');
        const cause =
          seen[4] === 5
            ? 'Both visitors use the same counter.'
            : 'An instance does not see what the others have counted.';
        must(
          shown === '1 2 3 4 1',
          `Ada viewed the page 4 times and Ben once. They saw ${shown}, not 1 2 3 4 1. ${cause}`,
        );
        return shown;
      },
    },
    {
      title: `${VIEWS} views of one visitor at once are all counted`,
      async run({ url }) {
        const visitor = new Visitor(url);
        await viewsOf(visitor);
        const requests = Array.from({ length: VIEWS }, () => viewsOf(visitor));
        const seen = new Set(await Promise.all(requests));
        const counted = (await viewsOf(visitor)) - 2;
        must(
          counted >= VIEWS,
          `Only ${counted} of ${VIEWS} views were counted. Two requests read the same number, and both store the next one. The last one wins, and a view is lost. Reading and storing must be one step, for all instances.`,
        );
        must(counted === VIEWS, `${counted} views were counted, but only ${VIEWS} were sent.`);
        must(
          seen.size === VIEWS,
          `All views were counted, but only ${seen.size} different numbers were shown. Show the number that the increment returns.`,
        );
        return `${counted} of ${VIEWS}`;
      },
    },
  ],
};

export default exercise;
