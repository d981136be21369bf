import { createInterface } from 'node:readline/promises';
import type { Ask, Figure } from './lesson.ts';

/** An answer that was given before the run. */
export type Answer = Ask & { guess: Figure };

/**
 * Puts the questions of a lesson on the terminal. A skipped question has no answer.
 *
 * Ctrl-C sends SIGINT to this process, as it does when no question waits.
 */
export async function askAll(
  asks: Ask[],
  output: NodeJS.WritableStream = process.stdout,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  const terminal = createInterface({ input: process.stdin, output });
  const ended = new Promise<undefined>((resolve) => {
    terminal.once('close', () => resolve(undefined)); // Ctrl-D, too
  });
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  try {
    for (const ask of asks) {
      output.write(`${textOf(ask)}\n`);
      const guess = await untilValid(ask, (prompt) =>
        Promise.race([terminal.question(prompt), ended]),
      );
      if (guess !== undefined) answers.push({ ...ask, guess });
    }
  } finally {
    terminal.close();
  }
  output.write('\n');
  return answers;
}

function textOf({ question, choices = [] }: Ask): string {
  return [question, ...choices.map((choice, i) => `  ${i + 1}: ${choice}`)].join('\n');
}

/** Repeats a question until the answer is possible. Resolves to `undefined` if the user skips it. */
async function untilValid(
  { choices }: Ask,
  read: (prompt: string) => Promise<string | undefined>,
): Promise<Figure | undefined> {
  const expected = choices ? `a number from 1 to ${choices.length}` : 'a number';
  for (;;) {
    const line = (await read(`Your guess (${expected}, or Enter to skip): `))?.trim();
    if (!line) return undefined;
    const number = Number(line);
    const guess = choices ? (choices[number - 1] ?? choices.find((one) => one === line)) : number;
    if (guess !== undefined && !Number.isNaN(guess)) return guess;
  }
}
