// Which ends of containers are captured: each once, and no more per pod and node in an hour than configured; remembered across restarts.
import { readFile } from 'node:fs/promises'
import { systemCode } from '../../protocol/errors.js'
import type { Detection } from './detection.js'
import { writeWhole } from './stores/folder.js'

export type SkipPolicy = 'old' | 'same' | 'pod_limit' | 'namespace_limit' | 'node_limit' | 'request_limit'

interface Incident {
  readonly podUid: string
  readonly namespace?: string
  readonly container?: string
  readonly reason: string
  /** panic: whose trace it was. */
  readonly language?: string
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
/** Of a pod's and the node's hour: what a log says is a guess, and anything may write it. The rest is for ends that are certain. */
const GUESSES_SHARE = 1 / 2
/** Once this much of an hour is used, a namespace has its own share of it and no more. */
const FREE_SHARE = 1 / 2
const NAMESPACE_SHARE = 1 / 4

type Reasoned = Pick<Incident, 'reason'>
const isGuess = ({ reason }: Reasoned): boolean => reason === 'panic'
const isAsked = ({ reason }: Reasoned): boolean => reason === 'asked'

export function createIncidents(options: IncidentOptions): Incidents {
  const { now } = options
  let incidents: Incident[] = []
  let saving = Promise.resolve()

  /** A back-off is what follows an end; a panic and an OOM kill, or traces of two languages, are two things even when they are close. */
  function isSame(known: Incident, detection: Detection): boolean {
    if (known.podUid !== detection.podUid || Math.abs(known.atMs - detection.atMs) > SAME_MS) return false
    const { containerName } = detection
    if (known.container !== undefined && containerName !== undefined && known.container !== containerName)
      return false
    if (detection.reason === 'crash_loop') return true
    return known.reason === detection.reason && known.language === detection.language
  }

  /** Requests count apart; certain ends have all of the hour that guesses have not taken. */
  function limitOf(detection: Detection): SkipPolicy | undefined {
    const { podUid, reason, namespace } = detection
    if (reason === 'asked')
      return incidents.filter(isAsked).length < options.perHour ? undefined : 'request_limit'
    const noticed = incidents.filter((known) => !isAsked(known))
    const alike = noticed.filter((known) => isGuess(known) === isGuess(detection))
    const share = isGuess(detection) ? GUESSES_SHARE : 1
    const ofPod = (known: Incident): boolean => known.podUid === podUid
    if (noticed.filter(ofPod).length >= options.perPodPerHour) return 'pod_limit'
    if (alike.filter(ofPod).length >= Math.ceil(options.perPodPerHour * share)) return 'pod_limit'
    const unused = options.perHour - (noticed.length - alike.length)
    const max = Math.min(Math.ceil(options.perHour * share), unused)
    if (alike.length >= max) return 'node_limit'
    if (alike.length < max * FREE_SHARE) return undefined
    const ofNamespace = alike.filter((known) => known.namespace === namespace).length
    return ofNamespace < max * NAMESPACE_SHARE ? undefined : 'namespace_limit'
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
      const limit = limitOf(detection)
      if (limit !== undefined) return limit
      const { podUid, namespace, reason, language, atMs, containerName } = detection
      incidents.push({
        podUid,
        reason,
        atMs,
        takenMs: nowMs,
        ...(namespace === undefined ? {} : { namespace }),
        ...(language === undefined ? {} : { language }),
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
