// Frames to be replayed: out of the journal as they are, out of the archive made again with the ids that it kept.
import { join } from 'node:path'
import { openChecksum } from '../../actors/journal/folder.js'
import { oldestHourMs, walkArchive } from '../../actors/writers/archive/read.js'
import { createFrameBook } from '../../actors/writers/frame-book.js'
import { createRebuilder, type RebuildRecord } from '../../actors/writers/rebuild.js'
import type { ArchiveOptions } from '../../protocol/config/backends.js'
import type { Config } from '../../protocol/config/schema.js'
import { MillraceError, systemCode } from '../../protocol/errors.js'
import { nodeFiles } from '../../runtime/wal/files.js'
import { ENVELOPE_BYTES, segmentName, segmentSeq } from '../../runtime/wal/layout.js'
import { withFile } from '../../runtime/wal/segment.js'
import { eachEntry } from '../../runtime/wal/walk.js'

export interface ReplayFrame {
  readonly id: string
  readonly encoded: Uint8Array
  /** Only these; undefined: all. */
  readonly numbers: ReadonlySet<number> | undefined
  readonly records: number
  /** Of the records. */
  readonly bytes: number
  readonly toMs: number
}

export interface ReplaySource {
  readonly config: Config
  readonly from: string
  readonly sinceMs: number
  readonly untilMs: number
  readonly matches: ((recordJson: string) => boolean) | undefined
  /** Records (or places) that cannot be read. */
  unreadable(records: number): void
}

/** By the time of the records: those of [sinceMs, untilMs). */
export async function* journalFrames(source: ReplaySource): AsyncGenerator<ReplayFrame> {
  const { sinceMs, untilMs, matches } = source
  const folder = join(source.config.node.data_dir, 'journal')
  const checksum = openChecksum()
  const books = createFrameBook()
  const names = await nodeFiles.list(folder).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT')
      throw new MillraceError('usage.data_dir', `there is no journal in ${source.config.node.data_dir}`)
    throw error
  })
  const firstSeqs = names.flatMap((name) => segmentSeq(name) ?? []).sort((a, b) => a - b)
  const at = { folder, files: nodeFiles, verify: (frame: Uint8Array) => checksum.verify(frame) === undefined }
  for (const [n, firstSeq] of firstSeqs.entries()) {
    const found: { offset: number; bytes: number }[] = []
    const segment = eachEntry(
      at,
      firstSeq,
      firstSeqs[n + 1],
      () => undefined,
      (entry) => {
        if (entry.kind === 'lost') source.unreadable(entry.records ?? 0)
        else found.push({ offset: entry.offset, bytes: entry.bytes })
      },
    )
    if ((await unlessGone(segment)) === undefined) continue
    for (const { offset, bytes: length } of found) {
      const path = join(folder, segmentName(firstSeq))
      const reading = withFile(nodeFiles, path, 'read', async (file) => {
        const bytes = new Uint8Array(length - ENVELOPE_BYTES)
        return (await file.read(bytes, offset + ENVELOPE_BYTES)) === bytes.length ? bytes : undefined
      })
      const encoded = await unlessGone(reading)
      if (encoded === undefined) break
      const { header, line, tsNs } = books.open(encoded)
      if (header.count === 0 || header.maxTsMs < sinceMs || header.minTsMs >= untilMs) continue
      const inside = header.minTsMs >= sinceMs && header.maxTsMs < untilMs
      if (inside && matches === undefined) {
        const { id, count: records, ndjsonBytes: bytes, maxTsMs: toMs } = header
        yield { id, encoded, numbers: undefined, records, bytes, toMs }
        continue
      }
      const numbers = new Set<number>()
      let bytes = 0
      for (let record = 0; record < header.count; record++) {
        const ms = Number(tsNs(record) / 1_000_000n)
        const text = line(record)
        if (ms < sinceMs || ms >= untilMs || matches?.(text) === false) continue
        numbers.add(record)
        bytes += Buffer.byteLength(text)
      }
      if (numbers.size > 0)
        yield { id: header.id, encoded, numbers, records: numbers.size, bytes, toMs: header.maxTsMs }
    }
  }
}

export async function* archiveFrames(source: ReplaySource): AsyncGenerator<ReplayFrame> {
  const { sinceMs, untilMs, matches } = source
  const root = rootOf(source)
  const rebuilder = createRebuilder()
  const oldestMs = await oldestHourMs(root)
  if (oldestMs === undefined) return
  const walk = {
    root,
    fromMs: Math.max(sinceMs, oldestMs),
    toMs: untilMs,
    broken: (file: string, offset: number) => {
      process.stderr.write(
        `millrace: ${file} does not read on at byte ${offset}; the rest of it is left out\n`,
      )
      source.unreadable(1)
    },
  }
  for await (const member of walkArchive(walk)) {
    const byFrame = new Map<string, RebuildRecord[]>()
    for (const { frame, n, line } of member.records()) {
      const ms = Date.parse(/^\{"timestamp":"([^"]+)"/.exec(line)?.[1] ?? '')
      if (ms < sinceMs || ms >= untilMs || matches?.(line) === false) continue
      const known = byFrame.get(frame)
      if (known === undefined) byFrame.set(frame, [{ n, line }])
      else known.push({ n, line })
    }
    for (const [id, records] of byFrame) {
      for (const { encoded, numbers } of rebuilder.rebuild(id, records, () => source.unreadable(1))) {
        const bytes = records.reduce((sum, { line }) => sum + line.length, 0)
        const last = records.at(-1)?.line ?? ''
        const toMs = Date.parse(/^\{"timestamp":"([^"]+)"/.exec(last)?.[1] ?? '') || 0
        yield { id, encoded, numbers, records: numbers.size, bytes, toMs }
      }
    }
  }
}

function rootOf({ config, from }: ReplaySource): string {
  const archives = Object.entries(config.backends).filter(([, { type }]) => type === 'archive')
  const named = archives.find(([name]) => name === from) ?? (from === 'archive' ? archives[0] : undefined)
  if (named !== undefined) return (named[1] as ArchiveOptions).path
  const known = ['journal', ...(archives.length > 0 ? ['archive'] : []), ...archives.map(([name]) => name)]
  throw new MillraceError('usage.from', `--from: got ${JSON.stringify(from)}, expected ${known.join(', ')}`)
}

/** The node deletes segments that all have passed. */
async function unlessGone<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}
