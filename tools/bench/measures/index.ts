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
  run: () => Promise<Figure[]>;
}

/** All measures, in the order in which they run. */
export const measures: Measure[] = [
  { name: 'startup', run: measureStartup },
  { name: 'memory', run: measureMemory },
  { name: 'scale', run: measureScale },
  { name: 'session-bytes', run: measureSessionBytes },
  { name: 'many-sessions', run: measureManySessions },
  { name: 'cpu-scaling', run: measureCpuScaling },
  { name: 'capacity', run: measureCapacity },
  { name: 'frames', run: measureFrames },
  { name: 'watched', run: measureWatched },
  { name: 'replication', run: measureReplication },
  { name: 'tracing', run: measureTracing },
];
