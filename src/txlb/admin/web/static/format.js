// Numbers and times as people read them.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** @param {number} count */
export function bytes(count) {
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** @param {number} value */
export function number(value) {
  return value.toLocaleString(undefined, { maximumFractionDigits: value < 10 ? 1 : 0 });
}

/** @param {number | null} seconds */
export function milliseconds(seconds) {
  if (seconds === null || seconds === undefined) {
    return "–";
  }
  const value = seconds * 1000;
  return `${value < 10 ? value.toFixed(2) : Math.round(value)} ms`;
}

/**
 * A length of time in words.
 * @param {number} seconds
 */
export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) {
    return `${whole} s`;
  }
  if (whole < 3600) {
    return `${Math.floor(whole / 60)} min`;
  }
  if (whole < 86400) {
    const minutes = Math.floor((whole % 3600) / 60);
    return `${Math.floor(whole / 3600)} h${minutes ? ` ${minutes} min` : ""}`;
  }
  const days = Math.floor(whole / 86400);
  return days === 1 ? "1 day" : `${days} days`;
}

/**
 * A time of day in the reader's zone.
 * @param {number} time seconds since 1970
 */
export function clock(time) {
  return new Date(time * 1000).toLocaleTimeString();
}

/**
 * A date and time in the reader's zone.
 * @param {number} time seconds since 1970
 */
export function date(time) {
  return new Date(time * 1000).toLocaleString();
}

/**
 * @param {number} count
 * @param {string} one
 * @param {string} [several]
 */
export function counted(count, one, several = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : several}`;
}
