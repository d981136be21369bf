/**
 * What k6 gives to `handleSummary`.
 * @see https://grafana.com/docs/k6/latest/results-output/end-of-test/custom-summary/
 */
export interface Summary {
  root_group: Group;
  options: { summaryTrendStats: string[]; summaryTimeUnit: string; noColor: boolean };
  state: { isStdOutTTY: boolean; isStdErrTTY: boolean; testRunDurationMs: number };
  /** By name; a part of a metric is named like `http_req_duration{scenario:hits}`. */
  metrics: Record<string, Metric>;
  setup_data?: unknown;
}

export interface Group {
  name: string;
  path: string;
  id: string;
  groups: Group[];
  checks: Check[];
}

export interface Check {
  name: string;
  path: string;
  id: string;
  passes: number;
  fails: number;
}

export interface Metric {
  type: 'counter' | 'gauge' | 'rate' | 'trend';
  /** `time` is in milliseconds, `data` in bytes. */
  contains: 'default' | 'time' | 'data';
  /** Of a counter count and rate, of a rate rate, passes and fails, of a gauge value, min and max. */
  values: Record<string, number>;
  /** By expression. */
  thresholds?: Record<string, { ok: boolean }>;
}
