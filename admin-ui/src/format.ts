// Numbers, times and sizes as people read them. Always the same width where they change in place.

const COMPACT = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });
const PLAIN = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

/** 1,234,567 in full. */
export function count(value: number): string {
  return PLAIN.format(value);
}

/** 1.23M: where there is little room. */
export function short(value: number): string {
  return Math.abs(value) < 10_000 ? trimmed(value) : COMPACT.format(value);
}

/** Per second. `undefined` and null: not known yet. */
export function rate(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  return `${value > 0 && value < 0.1 ? '<0.1' : short(Math.abs(value) < 100 ? Math.round(value * 10) / 10 : Math.round(value))}/s`;
}

/** ms, in the unit that fits: 0.4 ms, 12 ms, 3.2 s. */
export function milliseconds(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  if (value > 0 && value < 0.1) return '<0.1 ms';
  if (value < 10) return `${trimmed(Math.round(value * 10) / 10)} ms`;
  if (value < 1000) return `${Math.round(value)} ms`;
  if (value < 60_000) return `${trimmed(Math.round(value / 100) / 10)} s`;
  return duration(value / 1000);
}

/** Seconds as 3d 4h, 2h 5m, 4m 12s. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [days, hours, minutes] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
  ];
  if (days > 0) return `${days}d ${hours}h`;
  if (hours > 0) return `${hours}h ${minutes}m`;
  if (minutes > 0) return `${minutes}m ${whole % 60}s`;
  return `${whole}s`;
}

export function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(Math.floor(Math.log2(value) / 10), units.length);
  const scaled = value / 1024 ** power;
  return `${scaled < 10 ? scaled.toFixed(1) : Math.round(scaled)} ${units[power - 1]}`;
}

export function percent(part: number, whole: number): string {
  if (whole === 0) return '–';
  const value = (part / whole) * 100;
  if (value > 0 && value < 0.1) return '<0.1 %';
  return `${value < 10 ? Math.round(value * 10) / 10 : Math.round(value)} %`;
}

/** ms since 1970 as a clock, with the day where it is not today. */
export function clock(at: number): string {
  const date = new Date(at);
  const time = CLOCK.format(date);
  return date.toDateString() === new Date().toDateString() ? time : `${DAY.format(date)} ${time}`;
}

/** `1 host`, `2 hosts`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

function trimmed(value: number): string {
  return Number.isInteger(value) ? PLAIN.format(value) : String(Math.round(value * 100) / 100);
}
