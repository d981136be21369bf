const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Prometheus reads the metrics once a second then, and `rate` needs some of these. */
const MIN_WINDOW_SECONDS = 5;

/**
 * Divides the durations in a configuration of Prometheus: its intervals, and of its rules the time
 * before an alert fires and the windows. So a test need not wait for hours.
 *
 * @param speed 1 changes nothing
 */
export function shortened(text: string, speed: number): string {
  if (speed === 1) return text;
  return text.replaceAll(
    /(\[|for: |_interval: )(\d+)([smhd])\b/g,
    (_, before: string, number: string, unit: keyof typeof SECONDS) => {
      const seconds = Math.round((Number(number) * SECONDS[unit]) / speed);
      return `${before}${Math.max(before === '[' ? MIN_WINDOW_SECONDS : 1, seconds)}s`;
    },
  );
}
