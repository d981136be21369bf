export const duration = (ms: number) => `${ms.toFixed(2)}ms`;
export const count = (n: number) => String(Math.round(n * 100) / 100);
export const percent = (rate: number) => `${(100 * rate).toFixed(2)}%`;
export const bytes = (n: number) => `${n} B`;
