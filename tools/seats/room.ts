import { EventEmitter } from 'node:events';
import { failure } from '../lib/errors.mjs';
import { listenProblem } from '../lib/listen.mjs';
import { createStackFolder } from '../stack/folder.ts';
import { freePort } from '../stack/port.ts';
import { Watchdog } from '../stack/watchdog.ts';
import { startLesson, startStack } from './activity.ts';
import { memoryOf } from './memory.ts';
import { Seat } from './seat.ts';

/** The job of a seat that is no lesson. */
export const STACK = 'stack';

/** Milliseconds between two looks at the memory and at the last requests. */
const CHECK_MS = 2000;
/** Changes within these milliseconds are shown together. */
const CHANGE_MS = 100;
/** A seat that runs nothing is free for others after its pages were closed for so long. */
const ABANDONED_MS = 30 * 60_000;

export interface RoomOptions {
  /** The names of the stacks begin with it. */
  name: string;
  /** The number of seats. */
  seats: number;
  /** The number of seats that run something at the same time. */
  atOnce: number;
  /** The megabytes that a seat may use. */
  memoryMb: number;
  /** The address that the stacks listen on. */
  bind: string;
  /** The stack of seat 1 has the next port, and so on; any free ports if 0. */
  port: number;
  /** The number of instances of each stack. */
  scale: number;
  /** Milliseconds without a request after which a stack ends; 10 minutes by default. */
  idleMs?: number;
  /** The same while another seat waits; 1 minute by default. */
  idleIfWaitingMs?: number;
}

/** The seats, and the queue for what they run. Event: `change`. */
export class Room extends EventEmitter {
  readonly seats: readonly Seat[];
  readonly options: RoomOptions;
  #queue: Seat[] = [];
  #running = new Map<Seat, Promise<void>>();
  #watchdog: Watchdog;
  #isClosing = false;
  #check: NodeJS.Timeout;
  #change: NodeJS.Timeout | undefined;

  /** @throws {StackError} if a room or a stack of that name is running */
  static async open(options: RoomOptions): Promise<Room> {
    return new Room(options, new Watchdog(await createStackFolder(options.name)));
  }

  private constructor(options: RoomOptions, watchdog: Watchdog) {
    super();
    this.setMaxListeners(0);
    this.options = options;
    this.#watchdog = watchdog;
    watchdog.keepFolder(false);
    const changed = () => this.#changed();
    this.seats = Array.from({ length: options.seats }, (_, i) => new Seat(i + 1, changed));
    const check = async () => {
      await this.#enforceLimits().catch((err) => console.error(failure(err).text));
      if (!this.#isClosing) this.#check = setTimeout(check, CHECK_MS);
    };
    this.#check = setTimeout(check, CHECK_MS);
  }

  /** Seats that wait for their turn, the next one first. */
  get queue(): readonly Seat[] {
    return this.#queue;
  }

  /** The number of seats that run something. */
  get running(): number {
    return this.#running.size;
  }

  /** The first free seat, then one whose attendee has gone; `undefined` if there is none. */
  take(): Seat | undefined {
    const idle = this.seats.filter(({ state }) => state === 'idle');
    const isAbandoned = ({ pages, leftAt }: Seat) =>
      pages === 0 && Date.now() - leftAt > ABANDONED_MS;
    const seat = idle.find(({ token }) => !token) ?? idle.find(isAbandoned);
    seat?.take();
    return seat;
  }

  seatOf(token: string | undefined): Seat | undefined {
    return token ? this.seats.find((seat) => seat.token === token) : undefined;
  }

  /** Runs a job as soon as it is the seat's turn. It replaces what the seat runs. */
  request(seat: Seat, job: string): void {
    this.stop(seat, 'Ended, because you have started something else.');
    seat.job = job;
    seat.set('waiting');
    this.#queue.push(seat);
    this.#startNext();
  }

  /** Ends what a seat runs or waits for. */
  stop(seat: Seat, reason = 'Stopped.'): void {
    this.#queue = this.#queue.filter((other) => other !== seat);
    if (this.#running.has(seat)) {
      seat.set('ending');
      seat.stop(reason);
    } else seat.set('idle');
  }

  /** Gives a seat back: others can take it as soon as it runs nothing. */
  leave(seat: Seat): void {
    seat.token = undefined;
    this.stop(seat);
  }

  /** Ends everything. */
  async close(): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#check);
    for (const seat of this.seats) this.stop(seat, 'The presenter has ended the seats.');
    await Promise.all(this.#running.values());
    clearTimeout(this.#change);
    await this.#watchdog.close();
  }

  #startNext(): void {
    while (!this.#isClosing && this.#running.size < this.options.atOnce) {
      const seat = this.#queue.find((one) => !this.#running.has(one)); // or it is still ending
      if (!seat) return;
      this.#queue = this.#queue.filter((other) => other !== seat);
      this.#running.set(seat, this.#run(seat));
    }
  }

  async #run(seat: Seat): Promise<void> {
    const { job = STACK } = seat;
    const say = (line: string) => seat.say(line);
    await seat.run(() =>
      job === STACK ? this.#startStack(seat) : startLesson(job, this.#watchdog, say),
    );
    this.#running.delete(seat);
    if (this.#queue.includes(seat)) seat.set('waiting');
    else seat.set('idle');
    this.#startNext();
  }

  async #startStack(seat: Seat) {
    const { bind, port: first, scale } = this.options;
    const name = `${this.options.name}-${String(seat.number).padStart(2, '0')}`;
    const next = first + seat.number;
    const isFree = first > 0 && !(await listenProblem(next, bind));
    seat.port ??= isFree ? next : await freePort(bind);
    return startStack({ name, bind, port: seat.port, scale }, (line) => seat.say(line));
  }

  async #enforceLimits(): Promise<void> {
    const { memoryMb: limit, idleMs = 600_000, idleIfWaitingMs = 60_000 } = this.options;
    const pids = new Map<Seat, number[]>();
    for (const seat of this.#running.keys()) {
      if (seat.state === 'running') pids.set(seat, (await seat.activity?.pids()) ?? []);
    }
    const memory = memoryOf([...pids.values()].flat());
    for (const [seat, its] of pids) {
      seat.memoryMb = Math.round(its.reduce((sum, pid) => sum + (memory.get(pid) ?? 0), 0));
      const longest = this.#queue.length > 0 ? Math.min(idleMs, idleIfWaitingMs) : idleMs;
      if (seat.memoryMb > limit) {
        const found = `it used ${seat.memoryMb} MB of memory`;
        this.stop(seat, `Ended, because ${found}. A seat has ${limit} MB.`);
      } else if ((seat.activity?.idleMs() ?? 0) > longest) {
        this.stop(seat, 'Ended, because no request reached it. Start it again if you need it.');
      }
    }
    this.#changed();
  }

  #changed(): void {
    this.#change ??= setTimeout(() => {
      this.#change = undefined;
      this.emit('change');
    }, CHANGE_MS);
  }
}
