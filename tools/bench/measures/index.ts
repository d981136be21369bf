import { measureCapacity } from './capacity.ts';
import { measureCpuScaling } from './cpu-scaling.ts';
import type { Figure } from './figure.ts';
import { measureFrames } from './frames.ts';
import { measureManySessions } from './many-sessions.ts';
import { measureMemory } from './memory.ts';
import { measureReplication } from './replication.ts';
import { measureScale } from './scale.ts';
import { measureSessionBytes } from './session-bytes.ts';
import { measureStartup } from './startup.ts';
import { measureTracing } from './tracing.ts';
import { measureWatched } from './watched.ts';

/** A group of figures that are measured together. */
export interface Measure {
  name: string;
  /** The usual duration on two cores. */
  seconds: number;
  run: () => Promise<Figure[]>;
}

/** All measures, in the order in which they run. */
export const measures: Measure[] = [
  { name: 'startup', seconds: 30, run: measureStartup },
  { name: 'memory', seconds: 30, run: measureMemory },
  { name: 'scale', seconds: 25, run: measureScale },
  { name: 'session-bytes', seconds: 12, run: measureSessionBytes },
  { name: 'many-sessions', seconds: 150, run: measureManySessions },
  { name: 'cpu-scaling', seconds: 260, run: measureCpuScaling },
  { name: 'capacity', seconds: 90, run: measureCapacity },
  { name: 'frames', seconds: 60, run: measureFrames },
  { name: 'watched', seconds: 195, run: measureWatched },
  { name: 'replication', seconds: 65, run: measureReplication },
  { name: 'tracing', seconds: 150, run: measureTracing },
];
