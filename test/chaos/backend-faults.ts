// What can go wrong with a backend: faults of the stand-ins by name, each with the requests that suffer.
import type { Faults } from '../stand-ins/faults.js'

export type BackendName = 'es' | 'loki'

export interface NamedFault {
  readonly name: string
  readonly faults: Faults
}

/** `on: all` makes the look-ups before a repeated push fail as well. */
const BOTH: readonly NamedFault[] = [
  { name: '429', faults: { status: 429 } },
  { name: '429-retry-after', faults: { status: 429, headers: { 'retry-after': '1' } } },
  { name: '503', faults: { status: 503, on: 'all' } },
  { name: '413', faults: { status: 413, requests: 2 } },
  { name: '500-few', faults: { status: 500, requests: 3 } },
  { name: 'hang', faults: { hang: true } },
  { name: 'hang-stored', faults: { hang: true, stored: true, requests: 3 } },
  { name: 'reset', faults: { reset: true, on: 'all' } },
  { name: 'reset-stored', faults: { reset: true, stored: true, requests: 5 } },
  { name: '503-stored', faults: { status: 503, stored: true, requests: 4 } },
  { name: 'half-answer', faults: { halfAnswer: true, requests: 5 } },
  { name: 'slow', faults: { delayMs: 700, on: 'all' } },
]

export const BACKEND_FAULTS: Readonly<Record<BackendName, readonly NamedFault[]>> = {
  es: [
    ...BOTH,
    { name: 'items-429', faults: { itemStatus: 429, itemShare: 0.3 } },
    { name: 'items-503', faults: { itemStatus: 503, itemShare: 0.1 } },
    { name: 'items-400', faults: { itemStatus: 400, itemShare: 0.05, requests: 4 } },
    { name: 'items-missing', faults: { missingItems: 2, requests: 4 } },
  ],
  loki: [...BOTH, { name: '400', faults: { status: 400, body: 'refused for a test', requests: 2 } }],
}

/** Throws for a name that is not in the list. */
export function faultsOf(backend: BackendName, name: string): Faults {
  const found = BACKEND_FAULTS[backend].find((fault) => fault.name === name)
  if (found === undefined) throw new Error(`no fault ${name} of ${backend}`)
  return found.faults
}
