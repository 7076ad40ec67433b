// The archive backend: gzip NDJSON by the records' hour, `<path>/<YYYY>/<MM>/<DD>/<HH>.<node>.<n>.ndjson.gz`, each frame in it once.
import type { ArchiveOptions } from '../../protocol/config/backends.js'
import { INDEX_ENTRY_BYTES } from '../../protocol/frame.js'
import { systemCode } from '../../protocol/errors.js'
import { makeFolder } from '../../runtime/make-folder.js'
import { type HourFile, openHourFile } from './archive/hour-file.js'
import { encodeMember, MEMBER_FRAMES_MAX } from './archive/member.js'
import { entryTimeMs } from './entry-time.js'
import { deleteBefore } from './archive/retention.js'
import {
  addPart,
  type Backend,
  type BackendContext,
  type Batch,
  failed,
  type LoadedFrame,
  type Result,
} from './writer.js'

/** What one frame has of one hour: written in one member, so that it is in the file whole or not at all. */
interface Portion {
  readonly frame: string
  readonly hourMs: number
  readonly text: Buffer
}

export interface ArchiveBatch extends Batch {
  readonly portions: readonly Portion[]
}

const HOUR_MS = 3_600_000
/** Hours whose files are known at the same time; the one used longest ago is forgotten (and read again when it is met again). */
const FILES_MAX = 64
const LANE = 0

/** Each line is the canonical record with `batch_id` and `rid` added, so that a replay gives every record its own id again. */
export function createArchive(
  context: BackendContext<ArchiveBatch>,
  options: ArchiveOptions,
): Backend<ArchiveBatch> {
  const { kernel, clock, log, name } = context
  const node = context.nodeId.replace(/[^\w-]/g, '_')
  const files = new Map<number, HourFile>()
  let portions: Portion[] = []
  let parts: { seq: number; records: number }[] = []
  let bytes = 0
  let begunMs = 0
  let ordinal = 0
  let stopRetention: (() => void) | undefined

  function offer(): void {
    if (portions.length === 0) return
    const records = parts.reduce((sum, part) => sum + part.records, 0)
    context.offer({ lane: LANE, bytes, records, parts, portions })
    portions = []
    parts = []
    bytes = 0
  }

  function encode(frame: LoadedFrame): boolean {
    if (portions.length === 0) {
      begunMs = clock.monotonic()
      ordinal = frame.ordinal
    }
    const added = portionsOf(frame, kernel)
    portions.push(...added)
    addPart(parts, frame.seq, frame.header.count)
    bytes += added.reduce((sum, portion) => sum + portion.text.length, 0)
    if (bytes >= options.batch_bytes || portions.length >= MEMBER_FRAMES_MAX) offer()
    return true
  }

  async function fileOf(hourMs: number): Promise<HourFile> {
    const known = files.get(hourMs)
    const file = known ?? (await openHourFile(options.path, hourMs, node))
    // Moves it to the end: the first is the one used longest ago.
    files.delete(hourMs)
    files.set(hourMs, file)
    for (const oldest of files.keys()) {
      if (files.size <= FILES_MAX) break
      files.delete(oldest)
    }
    return file
  }

  /** A frame that was delivered again after a crash is found in the file, and left out. */
  async function write(hourMs: number, all: readonly Portion[]): Promise<void> {
    const file = await fileOf(hourMs)
    const fresh = all.filter((portion) => !file.has(portion.frame))
    for (let from = 0; from < fresh.length; from += MEMBER_FRAMES_MAX) {
      const some = fresh.slice(from, from + MEMBER_FRAMES_MAX)
      const text = Buffer.concat(some.map((portion) => portion.text))
      const frames = some.map((portion) => portion.frame)
      await file.append(await encodeMember(text, frames, options.compression_level), frames)
    }
  }

  async function attempt(batch: ArchiveBatch): Promise<Result<ArchiveBatch>> {
    const byHour = new Map<number, Portion[]>()
    for (const portion of batch.portions) {
      const known = byHour.get(portion.hourMs)
      if (known === undefined) byHour.set(portion.hourMs, [portion])
      else known.push(portion)
    }
    try {
      for (const [hourMs, all] of byHour) await write(hourMs, all)
    } catch (error) {
      const code = systemCode(error) ?? String(error)
      const kind = code === 'EACCES' || code === 'EROFS' || code === 'ENOTDIR' ? 'blocked' : 'down'
      return failed(batch, { kind, reason: `archive ${options.path} cannot be written: ${code}` })
    }
    return { settled: batch.parts, refused: [], next: [] }
  }

  function expire(): void {
    deleteBefore(options.path, node, clock.now() - options.retention).then(
      (deleted) =>
        deleted > 0 &&
        log.info({ backend: name, deleted }, 'archive files past their retention were deleted'),
      (error: unknown) =>
        log.warn({ backend: name, err: error }, 'archive files past their retention cannot be deleted'),
    )
  }

  return {
    async open() {
      makeFolder(options.path)
      stopRetention?.()
      if (options.retention === 0) return
      expire()
      stopRetention = clock.every(HOUR_MS, expire)
    },
    encode,
    flush(beforeMs) {
      if (portions.length > 0 && begunMs <= beforeMs) offer()
      return portions.length > 0 ? begunMs : undefined
    },
    relieve(oldest) {
      if (portions.length > 0 && ordinal <= oldest) offer()
    },
    attempt,
    async close() {
      stopRetention?.()
    },
  }
}

/** The lines of a frame, by hour of their timestamp. */
function portionsOf(
  { header, rawPtr, indexPtr }: LoadedFrame,
  kernel: BackendContext<ArchiveBatch>['kernel'],
): Portion[] {
  const tail = Buffer.from(`,"batch_id":"${header.id}","rid":"${header.id}-`)
  const lines = new Map<number, Buffer[]>()
  const oneHour = Math.floor(header.minTsMs / HOUR_MS) === Math.floor(header.maxTsMs / HOUR_MS)
  for (let n = 0; n < header.count; n++) {
    const entry = indexPtr + n * INDEX_ENTRY_BYTES
    const hourMs = oneHour ? hourOf(header.minTsMs) : hourOf(entryTimeMs(kernel.view, entry))
    const start = rawPtr + kernel.view.getUint32(entry + 8, true)
    const end = start + kernel.view.getUint32(entry + 12, true) - 1
    const pieces = lines.get(hourMs) ?? []
    pieces.push(Buffer.from(kernel.memory.buffer, start, end - start), tail, Buffer.from(`${n}"}\n`))
    lines.set(hourMs, pieces)
  }
  return [...lines].map(([hourMs, pieces]) => ({ frame: header.id, hourMs, text: Buffer.concat(pieces) }))
}

const hourOf = (ms: number): number => Math.floor(ms / HOUR_MS) * HOUR_MS
