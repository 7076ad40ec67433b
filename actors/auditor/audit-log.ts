// The audit's own log: a JSON line for each difference, repair and give-up, in files of bounded size and number.
import { appendFile, readdir, readFile, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { systemCode } from '../../protocol/errors.js'
import { makeFolder } from '../../runtime/make-folder.js'

export type AuditEvent =
  | {
      readonly event: 'difference'
      readonly frame: string
      readonly backend: string
      readonly kind: 'missing' | 'extra' | 'altered'
      readonly records: number
      /** Numbers of the first of them. */
      readonly numbers: readonly number[]
    }
  | {
      readonly event: 'repaired'
      readonly frame: string
      readonly backend: string
      /** `journal`, `archive` or the other backend's name. */
      readonly from: string
      readonly records: number
    }
  | {
      readonly event: 'unrepaired'
      readonly frame: string
      readonly backend: string
      readonly reason: string
      readonly records: number
      readonly numbers: readonly number[]
    }
  | { readonly event: 'postponed'; readonly reason: string; readonly frames: number }
  | {
      readonly event: 'checked'
      readonly frames: number
      readonly records: number
      readonly queries: Readonly<Record<string, number>>
      readonly tookMs: number
    }

export type LoggedEvent = AuditEvent & { readonly time: string }

export interface AuditLog {
  /** Written in order; a disk that refuses loses the line, and `failed` is told. */
  write(event: AuditEvent): void
  close(): Promise<void>
}

const FILE_BYTES_MAX = 8 * 1024 * 1024
/** The oldest go. */
const FILES_MAX = 8
const NAME = /^audit-(\d{8})\.ndjson$/
/** Numbers of records that a line names. */
export const NUMBERS_SHOWN = 50

export function openAuditLog(
  folder: string,
  nowMs: () => number,
  failed: (error: unknown) => void,
): AuditLog {
  let file: string | undefined
  let bytes = 0
  let last: Promise<void> = Promise.resolve()

  async function next(): Promise<string> {
    makeFolder(folder)
    const names = await logFiles(folder)
    const newest = names.at(-1)
    if (file === undefined && newest !== undefined) {
      bytes = (await stat(path.join(folder, newest))).size
      if (bytes < FILE_BYTES_MAX) return path.join(folder, newest)
    }
    for (const old of names.slice(0, Math.max(0, names.length + 1 - FILES_MAX)))
      await rm(path.join(folder, old), { force: true })
    bytes = 0
    const number = Number(NAME.exec(newest ?? '')?.[1] ?? 0) + 1
    return path.join(folder, `audit-${String(number).padStart(8, '0')}.ndjson`)
  }

  async function append(line: string): Promise<void> {
    if (file === undefined || bytes >= FILE_BYTES_MAX) file = await next()
    await appendFile(file, line)
    bytes += Buffer.byteLength(line)
  }

  return {
    write(event) {
      const line = `${JSON.stringify({ time: new Date(nowMs()).toISOString(), ...event })}\n`
      last = last.then(() => append(line)).catch(failed)
    },
    close: () => last,
  }
}

/** The newest lines, oldest of them first. */
export async function readAuditLog(folder: string, most: number): Promise<LoggedEvent[]> {
  const events: LoggedEvent[] = []
  for (const name of (await logFiles(folder)).toReversed()) {
    if (events.length >= most) break
    const lines = (await readFile(path.join(folder, name), 'utf8')).split('\n').filter(Boolean)
    events.unshift(...lines.slice(-(most - events.length)).flatMap(parse))
  }
  return events
}

function parse(line: string): LoggedEvent[] {
  try {
    return [JSON.parse(line) as LoggedEvent]
  } catch {
    return []
  }
}

async function logFiles(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => NAME.test(name)).sort()
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  }
}
