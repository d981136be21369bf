import type { Summary } from './summary-data.ts';
export interface Run {
  name: string;
  title: string;
  at: string;
  data: Summary;
  instances: { name: string; requests: number }[];
}
export function report(run: Run, before?: Run): string {
  return JSON.stringify([run, before]);
}
