// Durations and sizes as texts. Without the schema library, which no thread but the main one loads.

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}
const SIZE_UNITS: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1000,
  kib: 1024,
  mb: 1_000_000,
  mib: 1024 ** 2,
  gb: 1_000_000_000,
  gib: 1024 ** 3,
}

/** Parses `200ms`, `1s`, `5m`, `2h`, `7d` to ms; undefined when it is not a duration. */
export function parseDurationMs(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(text.trim())
  if (match === null) return undefined
  return Math.round(Number(match[1]) * (DURATION_UNITS[match[2] as string] as number))
}

/** Parses `512KiB`, `10GiB`, `1MB` to bytes; undefined when it is not a size. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(text.trim())
  const unit = match === null ? undefined : SIZE_UNITS[(match[2] as string).toLowerCase()]
  return match === null || unit === undefined ? undefined : Math.floor(Number(match[1]) * unit)
}

/** The shortest exact text of a duration: 90000 is `90s`, 60000 is `1m`. */
export function formatDuration(durationMs: number): string {
  if (durationMs === 0) return '0s'
  const unit = ['d', 'h', 'm', 's', 'ms'].find((name) => durationMs % (DURATION_UNITS[name] as number) === 0)
  return unit === undefined ? `${durationMs}ms` : `${durationMs / (DURATION_UNITS[unit] as number)}${unit}`
}

/** The shortest exact text of a size: 1048576 is `1MiB`, 1000 is `1000B`. */
export function formatBytes(bytes: number): string {
  const unit = ['GiB', 'MiB', 'KiB'].find((name) => bytes % (SIZE_UNITS[name.toLowerCase()] as number) === 0)
  return unit === undefined || bytes === 0
    ? `${bytes}B`
    : `${bytes / (SIZE_UNITS[unit.toLowerCase()] as number)}${unit}`
}
