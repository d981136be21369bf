import { sign, unsign } from 'cookie-signature';
import { Visitor } from '../../../tools/lib/visitor.ts';
import type { Deployment } from '../../kit/environment.ts';
import { type Exercise, must } from '../../kit/exercise.ts';
import { viewsOf } from '../../kit/exercise-client.ts';

const OLD = 'the-old-secret-of-32-characters-';
const NEW = 'the-new-secret-of-32-characters-';

/** The name of a cookie, and its signed value without the prefix of express-session. */
function parse(cookie: string): { name: string; value: string } {
  const [, name = '', value = ''] = /^([^=]+)=s:(.+)$/.exec(decodeURIComponent(cookie)) ?? [];
  must(value, `The cookie ${JSON.stringify(cookie)} is not a signed cookie of express-session.`);
  return { name, value };
}

/** The secret that signed a cookie, for messages. */
function signerOf(cookie: string): string {
  const { value } = parse(cookie);
  if (unsign(value, NEW) !== false) return 'the new secret';
  return unsign(value, OLD) === false ? 'neither secret' : 'the previous secret';
}

/** A visitor who has viewed the page once. */
async function newVisitor({ url }: Deployment): Promise<Visitor> {
  const visitor = new Visitor(url);
  await viewsOf(visitor);
  must(visitor.cookie, 'GET / sets no cookie, so a visitor has no session.');
  return visitor;
}

/** Whether an instance finds the session of a visitor by a cookie that this secret has signed. */
async function isAccepted(deployment: Deployment, secret: string): Promise<boolean> {
  const { cookie } = await newVisitor(deployment);
  const { name, value } = parse(cookie);
  const id = value.slice(0, value.lastIndexOf('.'));
  const forged = encodeURIComponent(`s:${sign(id, secret)}`);
  return (await viewsOf(new Visitor(deployment.url, new Map([[name, forged]])))) > 1;
}

const exercise: Exercise = {
  lesson: 'secret-rotation',
  stack: { scale: 2, env: { SESSION_SECRET: OLD } },
  rule: 'During a rotation the new secret signs, and both verify. Then the old one is removed.',
  steps: [
    {
      title: 'A rotation of the secret ends no session',
      async run(deployment) {
        const visitor = await newVisitor(deployment);
        const before = await viewsOf(visitor);
        await deployment.replaceInstances({ SESSION_SECRET: NEW, PREVIOUS_SESSION_SECRET: OLD });
        const seen = [await viewsOf(visitor), await viewsOf(visitor)].join(' ');
        const signer = signerOf((await newVisitor(deployment)).cookie);
        must(
          before === 2 && seen === '3 4',
          `A visitor viewed the page twice. Then the instances got a new SESSION_SECRET, with the old one in PREVIOUS_SESSION_SECRET. The next views were ${seen}, not 3 4. The program does not accept the cookie that the old secret signed. It signs new cookies with ${signer}.`,
        );
        return `${before}, then ${seen}`;
      },
    },
    {
      title: 'New cookies are signed with the new secret',
      async run(deployment) {
        const signer = signerOf((await newVisitor(deployment)).cookie);
        must(
          signer === 'the new secret',
          `A new visitor got a cookie that is signed with ${signer}. The rotation never ends: this visitor loses the session when the previous secret is removed.`,
        );
        return signer;
      },
    },
    {
      title: 'After the rotation the old secret is worth nothing',
      async run(deployment) {
        await deployment.replaceInstances({ PREVIOUS_SESSION_SECRET: '' });
        must(
          !(await isAccepted(deployment, OLD)),
          'PREVIOUS_SESSION_SECRET is empty now, and the program still accepts a cookie that the old secret signed. If that secret has leaked, an attacker who has it can forge cookies.',
        );
        return 'refused';
      },
    },
    {
      title: 'An empty secret is no secret',
      async run(deployment) {
        must(
          !(await isAccepted(deployment, '')),
          'PREVIOUS_SESSION_SECRET is empty now, and the program accepts a cookie that is signed with an empty secret. Everyone can sign with that.',
        );
        return 'refused';
      },
    },
  ],
};

export default exercise;
