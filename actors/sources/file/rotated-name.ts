// Names of rotated files: `app.log.1`, `app.log-20261123`, `app.log.2026-11-23-10`, `app-20261123.log`, each with or without `.gz`.

export interface RotatedName {
  /** Name of the live file that it was. */
  readonly base: string
  /** The digits that order it: a small number counts up with age, a date down. */
  readonly digits: string
  readonly gz: boolean
}

const AFTER = /^(.+?)[.-](\d[\d.T:_-]{0,31})(\.gz)?$/
const BEFORE_EXTENSION = /^(.+?)[.-](\d[\dT:_-]{0,31})(\.[a-z]{1,8})(\.gz)?$/i
/** Numbers up to this many digits are counters (logrotate, log4j), longer ones dates. */
const COUNTER_DIGITS_MAX = 5

/** Every reading of a name as a rotated one: which is right depends on which live file exists. */
export function rotatedNames(name: string): RotatedName[] {
  const readings: RotatedName[] = []
  const after = AFTER.exec(name)
  if (after !== null)
    readings.push({ base: after[1] as string, digits: after[2] as string, gz: after[3] !== undefined })
  const before = BEFORE_EXTENSION.exec(name)
  if (before !== null && before[3]?.toLowerCase() !== '.gz') {
    readings.push({
      base: `${before[1]}${before[3]}`,
      digits: before[2] as string,
      gz: before[4] !== undefined,
    })
  }
  return readings
}

/** Orders two rotations of the same log, older first; 0 when their names do not tell. */
export function byAge(a: RotatedName, b: RotatedName): number {
  const isCounter = (name: RotatedName): boolean =>
    /^\d+$/.test(name.digits) && name.digits.length <= COUNTER_DIGITS_MAX
  if (isCounter(a) !== isCounter(b)) return 0
  if (isCounter(a)) return Number(b.digits) - Number(a.digits)
  return a.digits < b.digits ? -1 : a.digits > b.digits ? 1 : 0
}
