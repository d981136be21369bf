import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { parse as parseCookies } from 'cookie';
import express, { type Express, type Request, type RequestHandler, type Response } from 'express';
import { pino } from 'pino';
import { toString as qrCode } from 'qrcode';
import { z } from 'zod';
import { jsonBody } from '../../services/shared/http/json-body.ts';
import { notFound, problemHandler, sendProblem } from '../../services/shared/http/problem.ts';
import { securityHeaders } from '../../services/shared/http/reply-headers.ts';
import { sameOrigin } from '../../services/shared/http/same-origin.ts';
import { ROOT } from '../../tools/lib/root.mjs';
import { freePort } from '../../tools/stack/port.ts';
import { publicUrl, urlOf } from '../../tools/stack/public-url.ts';
import type { Entry } from '../kit/catalog.ts';
import type { Deployment } from '../kit/environment.ts';
import type { Ask, Figure, Lesson, WayName } from '../kit/lesson.ts';
import { matchesClaim, type Result, rowsOf, styleOf, verdictOf } from '../kit/report.ts';
import { Stage } from './stage.ts';
import { isRight, MAX_GUESS, Votes } from './votes.ts';

const PAGE = join(ROOT, 'workshop/wall/page');
const FILES = ['wall.css', 'wall.js', 'phone.js', 'page.js'].map((name) => join(PAGE, name));
const ICON = join(ROOT, 'services/dashboard/page/icon.svg');
const MAX_STREAMS = 1000;
/** Bytes that may wait for a page. A slow page is disconnected, and reconnects. */
const MAX_WAITING = 256 * 1024;
/** Milliseconds in which the changes of the wall are collected. */
const COLLECT_MS = 100;
const COOKIE = 'wall-voter';
const VOTER = /^[\w-]{22}$/;

const voteBody = z.object({
  step: z.int(),
  ask: z.int().min(0),
  guess: z.union([z.number().min(0).max(MAX_GUESS), z.string().max(200)]),
});
const stepBody = z.object({ step: z.int() });

type Phase = 'start' | 'question' | 'running' | 'truth';

export interface WallOptions {
  /** Whether phones vote, and the presenter goes on. */
  isPresented: boolean;
  /** TCP port; any free one if 0. */
  port: number;
  /** The address that the wall listens on. */
  bind: string;
  /** The address for phones, if they do not reach `bind` directly. */
  publicUrl: string | undefined;
}

/** A page for a wall: it shows a lesson while it runs. Phones vote what they predict. */
export class Wall {
  /** In the address of the page of the presenter, who alone goes on. */
  #key = randomBytes(16).toString('base64url');
  #options: WallOptions;
  #server!: Server;
  #walls = new Set<Response>();
  #phones = new Map<Response, string>();
  #timer: NodeJS.Timeout | undefined;
  #goOn: (() => void) | undefined;
  /** Grows with each change of the phase or the lesson. A page that is behind cannot vote or go on. */
  #step = 0;
  #phase: Phase = 'start';
  #isLast = false;
  #slide: Slide | undefined;
  #lesson: Lesson | undefined;
  #asks: { ask: Ask; votes: Votes }[] = [];
  #stages = { wrong: this.#newStage(), right: this.#newStage() };
  #running: WayName | undefined;
  #result: Result | undefined;

  private constructor(options: WallOptions) {
    this.#options = options;
  }

  /** Starts the server of the wall. */
  static async start(options: WallOptions): Promise<Wall> {
    const wall = new Wall(options);
    const { bind } = options;
    wall.#server = wall.#createApp().listen(options.port || (await freePort(bind)), bind);
    await once(wall.#server, 'listening');
    return wall;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The address of the wall, for the presenter only. */
  get url(): string {
    return `${urlOf('http', 'localhost', this.port)}/present/${this.#key}`;
  }

  /** The address for phones; `undefined` if only this machine reaches the wall. */
  get audienceUrl(): string | undefined {
    const { isPresented, bind } = this.#options;
    if (!isPresented) return undefined;
    return this.#options.publicUrl ?? publicUrl('http', bind, this.port);
  }

  /** Shows the slide of a lesson. Phones can vote from now on, if the wall is presented. */
  begin(entry: Entry, lesson: Lesson, isLast: boolean): void {
    this.#slide = slideOf(entry);
    this.#lesson = lesson;
    this.#isLast = isLast;
    const asks = this.#options.isPresented ? lesson.asks : [];
    this.#asks = asks.map((ask) => ({ ask, votes: new Votes(ask.choices) }));
    this.#result = undefined;
    for (const stage of Object.values(this.#stages)) stage.show(undefined);
    this.#enter('question');
  }

  /** Ends the voting and shows that a way of the lesson is running. */
  run(way: WayName): void {
    this.#running = way;
    this.#enter('running');
  }

  /** Shows the deployment of a way; none while the next one starts. */
  show(way: WayName, deployment: Deployment | undefined): void {
    this.#stages[way].show(deployment);
  }

  /** Shows the observations. */
  finish(result: Result): void {
    this.#running = undefined;
    this.#result = result;
    this.#enter('truth');
  }

  /** Resolves when the presenter goes on. */
  untilNext(): Promise<void> {
    return new Promise((resolve) => {
      this.#goOn = resolve;
    });
  }

  /** Goes on, if the wall waits for the presenter. */
  next(): void {
    this.#goOn?.();
    this.#goOn = undefined;
  }

  #newStage(): Stage {
    return new Stage(() => this.#changed());
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#step += 1;
    for (const [res, voter] of this.#phones) write(res, this.#phoneView(voter));
    this.#changed();
  }

  /** Sends the state to the walls soon. */
  #changed(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const view = this.#wallView();
      for (const res of this.#walls) write(res, view);
    }, COLLECT_MS);
  }

  #wallView() {
    const { isPresented } = this.#options;
    const way = (name: WayName) => {
      const { port, requests, hasHeartbeats } = this.#stages[name];
      const isRunning = this.#running === name;
      return { summary: this.#lesson?.[name].summary, isRunning, port, requests, hasHeartbeats };
    };
    return {
      step: this.#step,
      phase: this.#phase,
      slide: this.#slide,
      isPresented,
      isLast: this.#isLast,
      phones: this.#phones.size,
      audienceUrl: this.audienceUrl ?? null,
      asks: this.#asks.map(({ ask, votes }) => {
        const observed = this.#observed(ask);
        return {
          question: ask.question,
          votes: votes.size,
          bars: votes.bars(observed),
          ...(observed !== undefined && { observed, right: votes.countRight(observed) }),
        };
      }),
      ways: { wrong: way('wrong'), right: way('right') },
      scene: this.#lesson?.scene ?? null,
      ...(this.#result && truthOf(this.#result)),
    };
  }

  #phoneView(voter: string) {
    return {
      step: this.#step,
      phase: this.#phase,
      slide: this.#slide,
      asks: this.#asks.map(({ ask, votes }) => {
        const [guess, observed] = [votes.of(voter), this.#observed(ask)];
        const truth = observed !== undefined && {
          observed,
          isRight: guess !== undefined && isRight(guess, observed),
          votes: votes.size,
          right: votes.countRight(observed),
        };
        return { question: ask.question, choices: ask.choices, guess, ...truth };
      }),
    };
  }

  #observed({ way, figure }: Ask): Figure | undefined {
    return this.#result?.[way][figure];
  }

  #createApp(): Express {
    const app = express();
    app.disable('x-powered-by');
    app.disable('etag');
    app.use((_req, res, next) => {
      for (const [name, value] of securityHeaders) res.setHeader(name, value);
      res.setHeader('Cache-Control', 'no-store');
      next();
    });
    for (const file of [...FILES, ICON]) {
      // The folder of the project may have a name that begins with a dot.
      const send: RequestHandler = (_req, res) => res.sendFile(file, { dotfiles: 'allow' });
      app.get(`/${basename(file)}`, send);
    }
    app.get('/', (req, res) => {
      if (!voterOf(req)) res.cookie(COOKIE, newVoter(), { httpOnly: true, sameSite: 'strict' });
      res.type('html').send(readFileSync(join(PAGE, 'phone.html')));
    });
    app.get('/events', this.#openPhone);
    app.post('/votes', sameOrigin, jsonBody(voteBody), this.#vote);
    app.get('/qr.svg', async (_req, res) => {
      const { audienceUrl } = this;
      if (!audienceUrl) return sendProblem(res, 404, 'Only this machine reaches the wall.');
      res.type('svg').send(await qrCode(audienceUrl, { type: 'svg', margin: 2 }));
    });
    const presenter = `/present/${this.#key}`;
    app.get(presenter, (req, res) => {
      // Any port: each deployment has another one.
      const frames = `frame-src ${req.protocol}://${encodeURI(req.hostname)}:*`;
      res.set('Content-Security-Policy', `${res.get('Content-Security-Policy')};${frames}`);
      res.type('html').send(readFileSync(join(PAGE, 'wall.html')));
    });
    app.get(`${presenter}/events`, (_req, res) => {
      this.#open(res, this.#wallView(), () => {
        this.#walls.add(res);
        res.once('close', () => this.#walls.delete(res));
      });
    });
    app.post(`${presenter}/next`, sameOrigin, jsonBody(stepBody), (req, res) => {
      if (req.body.step !== this.#step) {
        return sendProblem(res, 409, 'The wall has gone on already.');
      }
      this.next();
      res.sendStatus(204);
    });
    app.use(notFound);
    app.use(problemHandler(pino(pino.destination(2))));
    return app;
  }

  #openPhone: RequestHandler = (req, res) => {
    const voter = voterOf(req);
    if (!voter) return sendProblem(res, 403, 'Open the page first: it sets a cookie.');
    this.#open(res, this.#phoneView(voter), () => {
      this.#phones.set(res, voter);
      this.#changed();
      res.once('close', () => {
        this.#phones.delete(res);
        this.#changed();
      });
    });
  };

  #vote: RequestHandler = (req, res) => {
    const voter = voterOf(req);
    if (!voter) return sendProblem(res, 403, 'Open the page first: it sets a cookie.');
    const { step, ask, guess } = req.body;
    if (this.#phase !== 'question' || step !== this.#step) {
      return sendProblem(res, 409, 'The voting on this question is closed.');
    }
    const { votes } = this.#asks[ask] ?? {};
    if (!votes?.allows(guess))
      return sendProblem(res, 422, 'guess: is not an answer to a question');
    if (!votes.set(voter, guess)) return sendProblem(res, 503, 'Too many phones have voted.');
    this.#changed();
    res.sendStatus(204);
  };

  #open(res: Response, view: object, add: () => void): void {
    if (this.#walls.size + this.#phones.size >= MAX_STREAMS) {
      sendProblem(res, 503, 'Too many pages are open.');
      return;
    }
    res.set('Content-Type', 'text/event-stream');
    res.flushHeaders();
    write(res, view);
    add();
  }
}

/** What the slide of a lesson shows, from its README.md. */
interface Slide {
  number: string;
  title: string;
  question: string;
  /** The terms in bold in the first paragraph after the question. */
  concepts: string[];
}

function slideOf({ number, folder, question }: Entry): Slide {
  const text = readFileSync(join(ROOT, folder, 'README.md'), 'utf8');
  const [, title = ''] = /^# \d+ · (.+)$/m.exec(text) ?? [];
  const [, paragraph = ''] = /^## Question\n+.+\n+(.+)$/m.exec(text) ?? [];
  const concepts = [...paragraph.matchAll(/\*\*(.+?)\*\*/g)].map(([, term = '']) => term);
  return { number, title, question, concepts };
}

function truthOf(result: Result) {
  const rows = (way: WayName) =>
    rowsOf(result, way).map((row) => ({ ...row, color: styleOf(row) }));
  return {
    rows: result.error === undefined ? { wrong: rows('wrong'), right: rows('right') } : null,
    verdict: { text: verdictOf(result), holds: matchesClaim(result) },
  };
}

function newVoter(): string {
  return randomBytes(16).toString('base64url');
}

function voterOf(req: Request): string | undefined {
  const voter = parseCookies(req.headers.cookie ?? '')[COOKIE];
  return voter !== undefined && VOTER.test(voter) ? voter : undefined;
}

function write(res: Response, view: object): void {
  if (res.writableLength > MAX_WAITING) res.destroy();
  else res.write(`data: ${JSON.stringify(view)}\n\n`);
}
