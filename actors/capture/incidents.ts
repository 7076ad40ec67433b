// Which ends of containers are captured: each once, and no more per pod and node in an hour than configured; remembered across restarts.
import { readFile } from 'node:fs/promises'
import { systemCode } from '../../protocol/errors.js'
import type { Detection } from './detection.js'
import { writeWhole } from './stores/folder.js'

export type SkipPolicy = 'old' | 'same' | 'pod_limit' | 'node_limit'

interface Incident {
  readonly podUid: string
  readonly container?: string
  readonly reason: string
  readonly atMs: number
  /** When it was captured. */
  readonly takenMs: number
}

export interface Incidents {
  /** What an earlier run has captured within the hour. */
  recover(): Promise<void>
  /** Undefined: capture it, it is remembered. Else why not. */
  refuse(detection: Detection): SkipPolicy | undefined
  /** Writes down what is remembered; rejects with the system's error. */
  save(): Promise<void>
}

export interface IncidentOptions {
  readonly file: string
  readonly ageMaxMs: number
  readonly perPodPerHour: number
  readonly perHour: number
  now(): number
}

const HOUR_MS = 3_600_000
/** Two accounts of one container's end are this close: the API tells whole seconds, and the control group is polled. */
const SAME_MS = 10_000

export function createIncidents(options: IncidentOptions): Incidents {
  const { now } = options
  let incidents: Incident[] = []
  let saving = Promise.resolve()

  /** A back-off is what follows an end; a panic and an OOM kill are two things even when they are close. */
  function isSame(known: Incident, detection: Detection): boolean {
    if (known.podUid !== detection.podUid || Math.abs(known.atMs - detection.atMs) > SAME_MS) return false
    const { containerName } = detection
    if (known.container !== undefined && containerName !== undefined && known.container !== containerName)
      return false
    return known.reason === detection.reason || detection.reason === 'crash_loop'
  }

  return {
    async recover() {
      const text = await readFile(options.file, 'utf8').catch((error: unknown) => {
        if (systemCode(error) === 'ENOENT') return '[]'
        throw error
      })
      incidents = parse(text)
    },
    refuse(detection) {
      const nowMs = now()
      if (nowMs - detection.atMs > options.ageMaxMs) return 'old'
      incidents = incidents.filter(({ takenMs }) => nowMs - takenMs < HOUR_MS)
      if (incidents.some((known) => isSame(known, detection))) return 'same'
      const ofPod = incidents.filter(({ podUid }) => podUid === detection.podUid).length
      if (ofPod >= options.perPodPerHour) return 'pod_limit'
      if (incidents.length >= options.perHour) return 'node_limit'
      const { podUid, reason, atMs, containerName } = detection
      incidents.push({
        podUid,
        reason,
        atMs,
        takenMs: nowMs,
        ...(containerName === undefined ? {} : { container: containerName }),
      })
      return undefined
    },
    save() {
      // One after the other, each with what is remembered by then.
      const saved = saving.then(() => writeWhole(options.file, Buffer.from(JSON.stringify(incidents))))
      saving = saved.catch(() => undefined)
      return saved
    },
  }
}

/** A file that was damaged costs no more than a second capture. */
function parse(text: string): Incident[] {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) ? value.filter(isIncident) : []
  } catch {
    return []
  }
}

function isIncident(value: unknown): value is Incident {
  const { podUid, reason, atMs, takenMs } = (value ?? {}) as Partial<Incident>
  return (
    typeof podUid === 'string' &&
    typeof reason === 'string' &&
    typeof atMs === 'number' &&
    typeof takenMs === 'number'
  )
}
