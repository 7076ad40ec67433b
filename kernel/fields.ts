// Which members of a record carry its status and its latency: the configured paths, checked and split for the kernel.
import { targetOf } from './names.js'

export type LatencyUnit = 'ns' | 'us' | 'ms' | 's'

/**
 * A path is the name of a root member. With dots in it, it is also, at each of its dots, a member's name inside an object of the root:
 * `http.status` is the member `http.status`, or `status` in the object `http`. A record's status (and latency) is the first readable value
 * among its root members, in the record's order; only without one, the first among nested members. The members stay the record's own.
 */
export interface FieldNames {
  /** Readable: a whole number 0 … 999 (`5e2` too, by its first 15 digits), or a string of one to three digits. */
  readonly status: readonly string[]
  /** Readable: a number without sign. Its first 15 digits count; more than 2^30 ms counts as that. */
  readonly latency: readonly { readonly path: string; readonly unit: LatencyUnit }[]
}

/** One name for the kernel: UTF-8 as it stands between the quotes, and what its value may be. */
export interface FieldName {
  readonly bytes: Uint8Array
  /** Bit 0 status, bit 1 latency, bit 2 an object to look into; bits 4–5 the latency's unit; bits 8–13 the prefix that the object stands for. */
  readonly spec: number
}

export interface FieldPlan {
  readonly roots: readonly FieldName[]
  /** By prefix, from number 1 on: names inside such objects. */
  readonly nested: readonly (readonly FieldName[])[]
}

/** Paths of status and latency together. */
export const FIELD_PATHS_MAX = 64
/** Bytes of a path, as JSON text. */
export const FIELD_PATH_BYTES_MAX = 256
/** Different names before a dot. */
export const FIELD_PREFIXES_MAX = 63
/** Names after a dot, summed over the prefixes. */
export const FIELD_NESTED_MAX = 256

const STATUS = 1
const LATENCY = 2
const CONTAINER = 4
const UNITS: readonly LatencyUnit[] = ['ns', 'us', 'ms', 's']
const encoder = new TextEncoder()

function fieldsError(text: string): Error {
  return Object.assign(new Error(text), { code: 'kernel.fields' })
}

/** UTF-8 of a name between the quotes, as a clean record has it. */
function rawName(name: string): Uint8Array {
  return encoder.encode(JSON.stringify(name).slice(1, -1))
}

/** The path's (prefix, name) at each dot that has something on both sides. */
function splits(path: string): (readonly [string, string])[] {
  const found: (readonly [string, string])[] = []
  for (let dot = path.indexOf('.', 1); dot > 0 && dot < path.length - 1; dot = path.indexOf('.', dot + 1))
    found.push([path.slice(0, dot), path.slice(dot + 1)])
  return found
}

function checkPath(path: string): void {
  if (path === '') throw fieldsError('an empty name cannot be a status or latency field; name a member')
  if (rawName(path).length > FIELD_PATH_BYTES_MAX)
    throw fieldsError(
      `field ${path.slice(0, 32)}… is longer than ${FIELD_PATH_BYTES_MAX} bytes; name a shorter one`,
    )
  for (const name of [path, ...splits(path).map(([prefix]) => prefix)]) {
    const target = targetOf(name)
    if (target !== undefined)
      throw fieldsError(
        `field ${path}: ${name} has a meaning of its own (${target}) and cannot carry a status or latency; name another member`,
      )
  }
}

interface Wanted {
  readonly path: string
  readonly spec: number
}

function wantedOf({ status, latency }: FieldNames): Wanted[] {
  return [
    ...status.map((path) => ({ path, spec: STATUS })),
    ...latency.map(({ path, unit }) => ({ path, spec: LATENCY | (UNITS.indexOf(unit) << 4) })),
  ]
}

/** A name wanted twice is one with both meanings; of two units the first counts. */
function add(names: Map<string, number>, name: string, spec: number): void {
  const before = names.get(name) ?? 0
  names.set(name, (before & LATENCY) !== 0 && (spec & LATENCY) !== 0 ? before : before | spec)
}

function named(names: ReadonlyMap<string, number>): FieldName[] {
  return Array.from(names, ([name, spec]) => ({ bytes: rawName(name), spec }))
}

/** Splits and checks the paths. Errors: `kernel.fields`, for a path that cannot be one or one too many. */
export function planFields(fields: FieldNames): FieldPlan {
  const wanted = wantedOf(fields)
  if (wanted.length > FIELD_PATHS_MAX)
    throw fieldsError(`${wanted.length} status and latency fields; at most ${FIELD_PATHS_MAX}, name fewer`)
  const roots = new Map<string, number>()
  const nested = new Map<string, Map<string, number>>()
  for (const { path, spec } of wanted) {
    checkPath(path)
    add(roots, path, spec)
    for (const [prefix, name] of splits(path)) {
      const names = nested.get(prefix) ?? new Map<string, number>()
      nested.set(prefix, names)
      add(names, name, spec)
    }
  }
  const nestedCount = Array.from(nested.values()).reduce((sum, names) => sum + names.size, 0)
  if (nested.size > FIELD_PREFIXES_MAX || nestedCount > FIELD_NESTED_MAX)
    throw fieldsError(
      `status and latency fields have ${nested.size} names before dots and ${nestedCount} after; at most ${FIELD_PREFIXES_MAX} and ${FIELD_NESTED_MAX}, name fewer`,
    )
  Array.from(nested.keys()).forEach((prefix, n) => add(roots, prefix, CONTAINER | ((n + 1) << 8)))
  return { roots: named(roots), nested: Array.from(nested.values(), named) }
}
