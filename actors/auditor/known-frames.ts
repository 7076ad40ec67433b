// The frames that a node's data folder still knows, for audits by hand: in the journal, in the audit's queue, in the archive.
import { join } from 'node:path'
import type { AuditTask } from '../../protocol/audit.js'
import { systemCode } from '../../protocol/errors.js'
import { loadCursors } from '../../runtime/wal/cursor.js'
import { nodeFiles } from '../../runtime/wal/files.js'
import { ENVELOPE_BYTES, segmentName, segmentSeq } from '../../runtime/wal/layout.js'
import { headerOf } from '../../runtime/wal/recover.js'
import { createSeqSet, type SeqSet } from '../../runtime/wal/seq-set.js'
import { readSegment, withFile } from '../../runtime/wal/segment.js'
import { eachEntry } from '../../runtime/wal/walk.js'
import { openChecksum } from '../journal/folder.js'
import { walkArchive } from '../writers/archive/read.js'
import { readLocalQueue } from './local-queue.js'

export interface KnownFrames {
  /** In the order in which they were made; each frame once. */
  readonly tasks: readonly AuditTask[]
  /** Frames of the last minute that a backend has not acknowledged yet: nothing to audit. */
  readonly onTheirWay: number
  /** Older ones. */
  readonly unacknowledged: number
  /** Frames of the journal that can not be read, or are gone from its middle: who has them is not known. */
  readonly unreadable: number
  /** As the journal has it; undefined when that has let go of it. */
  encoded(task: AuditTask): Promise<Uint8Array | undefined>
}

export interface KnownFramesOptions {
  readonly dataDir: string
  readonly node: string
  /** Frames made since, ms since the epoch. */
  readonly sinceMs: number
  /** The backends that must have acknowledged a frame. */
  readonly backends: readonly string[]
  /** Roots of archives that are read too. */
  readonly archives: readonly string[]
  readonly nowMs: number
}

/** How long a running node may take to deliver a frame before it counts as not delivered. */
const ON_THEIR_WAY_MS = 60_000

type Counts = Pick<KnownFrames, 'onTheirWay' | 'unacknowledged' | 'unreadable'>

interface Place {
  readonly segment: string
  readonly offset: number
  readonly bytes: number
}

/** Works while the node runs. */
export async function knownFrames(options: KnownFramesOptions): Promise<KnownFrames> {
  const { dataDir, sinceMs } = options
  const folder = join(dataDir, 'journal')
  const tasks = new Map<string, AuditTask>()
  const places = new Map<string, Place>()
  const counts = await addJournal(options, folder, tasks, places)
  for (const task of await readLocalQueue(join(dataDir, 'audit', 'queue')))
    if (task.ackedMs >= sinceMs && !tasks.has(task.id)) tasks.set(task.id, task)
  for (const root of options.archives) await addArchive(options, root, tasks)
  return {
    tasks: [...tasks.values()],
    ...counts,
    async encoded({ id }) {
      const place = places.get(id)
      if (place === undefined) return undefined
      try {
        return await withFile(nodeFiles, join(folder, place.segment), 'read', async (file) => {
          const bytes = new Uint8Array(place.bytes - ENVELOPE_BYTES)
          await file.read(bytes, place.offset + ENVELOPE_BYTES)
          return bytes
        })
      } catch (error) {
        // The node has deleted the segment meanwhile.
        if (systemCode(error) === 'ENOENT') return undefined
        throw error
      }
    },
  }
}

/** Segments that may hold frames made since: all from the last one that was begun before. */
async function segmentsSince(folder: string, sinceMs: number): Promise<number[]> {
  let names: string[]
  try {
    names = await nodeFiles.list(folder)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  }
  const firstSeqs = names.flatMap((name) => segmentSeq(name) ?? []).sort((a, b) => a - b)
  let first = 0
  for (const [n, firstSeq] of firstSeqs.entries()) {
    const { segment } = await withFile(nodeFiles, join(folder, segmentName(firstSeq)), 'read', (file) =>
      readSegment(file, folder, firstSeq, false),
    )
    if (segment.madeMs > 0 && segment.madeMs <= sinceMs) first = n
  }
  return firstSeqs.slice(first)
}

async function addJournal(
  { node, sinceMs, backends, nowMs }: KnownFramesOptions,
  folder: string,
  tasks: Map<string, AuditTask>,
  places: Map<string, Place>,
): Promise<Counts> {
  const checksum = openChecksum()
  const verify = (frame: Uint8Array) => checksum.verify(frame) === undefined
  const cursors = await cursorsOf(folder)
  // Behind the cursors: what they name is in these segments then.
  const firstSeqs = await segmentsSince(folder, sinceMs)
  let onTheirWay = 0
  let unacknowledged = 0
  let unreadable = 0
  let expected = firstSeqs[0] ?? Math.min(...[...cursors.values()].map((done) => done.nextMissing(0)))
  for (const [n, firstSeq] of firstSeqs.entries()) {
    const at = { folder, files: nodeFiles, verify }
    await eachEntry(
      at,
      firstSeq,
      firstSeqs[n + 1],
      () => undefined,
      (entry) => {
        if (entry.kind === 'lost') return
        const header = headerOf(entry.frame)
        unreadable = header.madeMs < sinceMs ? 0 : unreadable + entry.seq - expected
        expected = entry.seq + 1
        if (header.count === 0 || header.madeMs < sinceMs) return
        const { id, count, minTsMs: fromMs, maxTsMs: toMs, madeMs } = header
        places.set(id, { segment: segmentName(firstSeq), offset: entry.offset, bytes: entry.bytes })
        if (!backends.every((backend) => cursors.get(backend)?.has(entry.seq))) {
          if (madeMs > nowMs - ON_THEIR_WAY_MS) onTheirWay++
          else unacknowledged++
          return
        }
        const fresh = { stage: 'first', postponed: 0, repairs: 0, dueMs: nowMs, ackedMs: madeMs } as const
        tasks.set(id, { seq: entry.seq, id, count, fromMs, toMs, node, ...fresh })
      },
    ).catch((error: unknown) => {
      if (systemCode(error) !== 'ENOENT') throw error
      // All backends have passed it.
      expected = firstSeqs[n + 1] ?? expected
    })
  }
  const acknowledged = Math.max(0, ...[...cursors.values()].map((done) => done.end()))
  return { onTheirWay, unacknowledged, unreadable: unreadable + Math.max(0, acknowledged - expected) }
}

async function cursorsOf(folder: string): Promise<Map<string, SeqSet>> {
  const cursors = await loadCursors(nodeFiles, folder).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  })
  return new Map(cursors.map(({ backend, done }) => [backend, createSeqSet(done)]))
}

/** A frame of which the archive does not hold the records from the first on is left out: it lies in other hours too. */
async function addArchive(
  { sinceMs, nowMs }: KnownFramesOptions,
  root: string,
  tasks: Map<string, AuditTask>,
): Promise<void> {
  const found = new Map<string, { numbers: Set<number>; fromMs: number; toMs: number }>()
  for await (const member of walkArchive({ root, fromMs: sinceMs, toMs: nowMs, broken: () => undefined })) {
    if (member.frames.every((id) => tasks.has(id))) continue
    for (const { frame, n, line } of member.records()) {
      if (tasks.has(frame)) continue
      const ms = Date.parse(/^\{"timestamp":"([^"]+)"/.exec(line)?.[1] ?? '')
      if (Number.isNaN(ms)) continue
      const known = found.get(frame) ?? { numbers: new Set(), fromMs: ms, toMs: ms }
      known.numbers.add(n)
      known.fromMs = Math.min(known.fromMs, ms)
      known.toMs = Math.max(known.toMs, ms)
      found.set(frame, known)
    }
  }
  for (const [id, { numbers, fromMs, toMs }] of found) {
    const count = numbers.size
    if (Math.max(...numbers) !== count - 1) continue
    const fresh = { stage: 'again', postponed: 0, repairs: 0, dueMs: nowMs, ackedMs: toMs } as const
    tasks.set(id, { seq: -1, id, count, fromMs, toMs, node: '', ...fresh })
  }
}
