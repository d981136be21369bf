// What k6 has and @types/k6 leaves out.
declare const console: Record<
  'log' | 'info' | 'debug' | 'warn' | 'error',
  (...words: unknown[]) => void
>;
