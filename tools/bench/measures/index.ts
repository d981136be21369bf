import { measureCpuScaling } from './cpu-scaling.ts';
import type { Figure } from './figure.ts';
import { measureManySessions } from './many-sessions.ts';
import { measureMemory } from './memory.ts';
import { measureScale } from './scale.ts';
import { measureSessionBytes } from './session-bytes.ts';
import { measureStartup } from './startup.ts';

/** What can be measured. */
export interface Measurement {
  name: string;
  measure: () => Promise<Figure[]>;
}

/** All measurements, in the order of their running. */
export const measurements: Measurement[] = [
  { name: 'startup', measure: measureStartup },
  { name: 'memory', measure: measureMemory },
  { name: 'scale', measure: measureScale },
  { name: 'session-bytes', measure: measureSessionBytes },
  { name: 'many-sessions', measure: measureManySessions },
  { name: 'cpu-scaling', measure: measureCpuScaling },
];
