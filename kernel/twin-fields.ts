// The twin of configured fields: a record's status and latency, read from its members by the configured paths as they are.
import type { CleanMember } from './clean.js'
import type { FieldNames, LatencyUnit } from './fields.js'
import { type JsonMember, parseObject } from './twin-json.js'

export interface TwinFields {
  readonly status: number | undefined
  readonly latencyMs: number | undefined
}

/** A member's decoded key, with the name before it and a dot when it is nested, and its value as JSON text. */
interface Named {
  readonly path: string
  readonly value: string
}

const CONTAINERS_MAX = 4
const LATENCY_MAX_MS = 2 ** 30
const UNIT_POWERS: Readonly<Record<LatencyUnit, number>> = { ns: -6, us: -3, ms: 0, s: 3 }

function statusOf(value: string): number | undefined {
  const digits = /^(?:(0|[1-9]\d{0,2})|"(\d{1,3})")$/.exec(value)
  if (digits !== null) return Number(digits[1] ?? digits[2])
  const number = latencyOf(value, 'ms') ?? Number.NaN
  return Number.isInteger(number) && number > 0 && number < 1000 ? number : undefined
}

/** The number's first 15 digits, times ten to what is left. */
function latencyOf(value: string, unit: LatencyUnit): number | undefined {
  const parts = /^(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(value)
  if (parts === null) return undefined
  const [, whole = '', fraction = '', exponent = '0'] = parts
  const digits = (whole + fraction).replace(/^0+/, '')
  const mantissa = digits.slice(0, 15)
  if (/^0*$/.test(mantissa)) return 0
  const power = Number(exponent) - fraction.length + (digits.length - mantissa.length) + UNIT_POWERS[unit]
  if (power < -22) return 0
  return power > 22 ? LATENCY_MAX_MS : Math.min(Number(`${mantissa}e${power}`), LATENCY_MAX_MS)
}

function membersOf({ key, value }: CleanMember): Named[] {
  const members: readonly JsonMember[] = parseObject(value)?.members ?? []
  return members.map((member) => ({
    path: `${key}.${member.key}`,
    value: value.slice(member.value.start, member.value.end),
  }))
}

function first<T>(members: readonly Named[], read: (member: Named) => T | undefined): T | undefined {
  for (const member of members) {
    const found = read(member)
    if (found !== undefined) return found
  }
  return undefined
}

/** The fields of a record with these members (cleaned, in order). */
export function readFields(members: readonly CleanMember[], { status, latency }: FieldNames): TwinFields {
  const paths = [...status, ...latency.map(({ path }) => path)]
  const roots = members.map(({ key, value }) => ({ path: key, value }))
  const nested = members
    .filter(
      ({ key, value }) =>
        key !== '' &&
        value.startsWith('{') &&
        paths.some((path) => path.length > key.length + 1 && path.startsWith(`${key}.`)),
    )
    .slice(0, CONTAINERS_MAX)
    .flatMap(membersOf)
  const readStatus = ({ path, value }: Named): number | undefined =>
    status.includes(path) ? statusOf(value) : undefined
  const readLatency = ({ path, value }: Named): number | undefined => {
    const unit = latency.find((field) => field.path === path)?.unit
    return unit === undefined ? undefined : latencyOf(value, unit)
  }
  return {
    status: first(roots, readStatus) ?? first(nested, readStatus),
    latencyMs: first(roots, readLatency) ?? first(nested, readLatency),
  }
}
