import { eventually } from '../../tools/lib/eventually.ts';
import { LiveClient } from '../../tools/lib/live-client.ts';
import { Visitor } from '../../tools/lib/visitor.ts';
import type { DeploymentOptions, Environment } from '../kit/environment.ts';
import { atMost, exactly, harm, lesson } from '../kit/lesson.ts';

const CLIENTS = 6;
const PROGRAM = 'workshop/16-websockets/wrong-own-clients.ts';

/** Six clients are connected. One sends a message. Then one instance is stopped, and it sends again. */
async function observe(environment: Environment, options: DeploymentOptions) {
  const deployment = await environment.start(options);
  const visitor = new Visitor(deployment.url);
  await visitor.send();
  const connect = () => LiveClient.open(`${deployment.url}/live`, { cookie: visitor.cookie });
  const clients: LiveClient[] = [];
  for (let i = 0; i < CLIENTS; i += 1) clients.push(await connect());
  const before = await receivers(clients, 'hello');

  const lost: number[] = [];
  for (const [i, client] of clients.entries()) {
    void client.closed.then((code) => lost.push(i, code));
  }
  await deployment.control('stop', 'app-1');
  await eventually(() => {
    if (lost.length < 4) throw new Error(`${lost.length / 2} of 2 connections have ended`);
  });
  const [first = 0, code = 0, second = 0] = lost;
  for (const i of [first, second]) clients[i] = await connect();
  const after = await receivers(clients, 'again');
  for (const { socket } of clients) socket.terminate();
  return {
    'clients that receive a message, of 6': before,
    'close code of the connections to a stopped instance': code,
    'clients that receive a message after that, of 6': after,
  };
}

/** Sends a text from the first client. Resolves to the number of clients that receive it. */
async function receivers(clients: LiveClient[], text: string): Promise<number> {
  const has = ({ messages }: LiveClient, wanted: string) =>
    messages.some((message) => 'text' in message && message.text === wanted);
  // Then each other client sends one. When that comes back, the first one has arrived, or never will.
  for (const [i, client] of clients.entries()) {
    client.socket.send(`${text} ${i}`);
    await eventually(() => {
      if (!has(client, `${text} ${i}`)) throw new Error(`client ${i} did not receive its message`);
    });
  }
  return clients.filter((client) => has(client, `${text} 0`)).length;
}

export default lesson({
  claim:
    'If an instance sends messages to its own clients, most clients miss them. If instances publish messages in Redis, all clients receive them, through whichever instance they are connected.',
  asks: [
    {
      way: 'wrong',
      figure: 'clients that receive a message, of 6',
      question:
        'Six browsers are connected to three instances. Each instance sends a message to its own clients. How many browsers get a message?',
    },
    {
      way: 'right',
      figure: 'clients that receive a message, of 6',
      question:
        'Six browsers are connected to three instances. The instances publish each message in Redis. How many browsers get a message?',
    },
  ],
  wrong: {
    summary: 'each instance sends a message to its own clients',
    predicted: {
      'clients that receive a message, of 6': harm(exactly(2)),
      'close code of the connections to a stopped instance': harm(exactly(1006)),
      'clients that receive a message after that, of 6': harm(atMost(4)),
    },
    observe: (environment) => observe(environment, { program: PROGRAM }),
  },
  right: {
    summary: 'each instance publishes a message in Redis, and all of them subscribe',
    predicted: {
      'clients that receive a message, of 6': exactly(CLIENTS),
      'close code of the connections to a stopped instance': exactly(1012),
      'clients that receive a message after that, of 6': exactly(CLIENTS),
    },
    observe: (environment) => observe(environment, {}),
  },
  verdict: (wrong, right) =>
    `A message reached ${wrong['clients that receive a message, of 6']} of 6 clients from an instance alone, and ${right['clients that receive a message, of 6']} of 6 through Redis.`,
});
