// The journal's storage alone: appending sealed frames with and without fsync, beside a plain loop of write and fdatasync.
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { createKernel } from '../../kernel/kernel.js'
import { systemClock } from '../../runtime/clock.js'
import { createFrameCodec } from '../../runtime/frame-codec.js'
import { nodeFiles } from '../../runtime/wal/files.js'
import { SILENT_OBSERVER } from '../../runtime/wal/observer.js'
import { openWal } from '../../runtime/wal/wal.js'
import type { Bench, Case, Measurement } from '../harness/bench.js'
import { benchFrame } from '../harness/frames.js'
import type { Scratch } from '../harness/scratch.js'

const FRAME_RECORDS = 1000
const DISTINCT = 8
const SEGMENT_BYTES = 64 * 1024 * 1024
const REFERENCE = 'write and fdatasync, plain'

interface Work {
  readonly frames: readonly {
    readonly encoded: Uint8Array
    readonly madeMs: number
    readonly positions: []
  }[]
  /** Frames in one commit. */
  readonly group: number
  readonly commits: number
  readonly scratch: Scratch
}

export const journalBench: Bench = {
  name: 'journal',
  summary: 'appending sealed frames of 1,000 records to the journal',
  metrics: [
    { key: 'megabytesPerSecond', label: 'as stored', unit: 'MB/s', better: 'higher' },
    { key: 'recordsPerCpuSecond', label: 'records per CPU second', unit: '', better: 'higher' },
    { key: 'recordsPerSecond', label: 'records/s', unit: '', better: 'higher' },
    { key: 'commitMillis', label: 'a commit', unit: 'ms', better: 'lower', digits: 2 },
  ],
  ratios: ['megabytesPerSecond', 'recordsPerCpuSecond'],
  rounds: { default: 5, quick: 2, warmUp: 1 },
  options: {
    commits: { value: 'n', default: '200', quick: '20', text: 'commits in one measurement' },
    group: { value: 'n', default: '4', text: 'frames that share a commit' },
  },
  async open(options, kit) {
    const { scratch } = kit
    const frames = Array.from({ length: DISTINCT }, (_, n) => {
      const { encoded } = benchFrame(n, FRAME_RECORDS)
      return { encoded, madeMs: 0, positions: [] as [] }
    })
    const work = { frames, group: options.count('group', 1), commits: options.count('commits', 1), scratch }
    const bytes = frames.reduce((sum, { encoded }) => sum + encoded.length, 0) / frames.length
    return {
      cases: [
        { name: REFERENCE, role: 'reference', measure: async () => timed(work, async () => plain(work)) },
        walCase(work, 'journal, fsync', true),
        walCase(work, 'journal, no fsync', false),
      ],
      notes: [
        `a frame of ${FRAME_RECORDS} records has ${Math.round(bytes)} bytes as stored; ${work.group} frames a commit`,
      ],
    }
  },
}

function walCase(work: Work, name: string, fsync: boolean): Case {
  return {
    name,
    role: 'measured',
    against: REFERENCE,
    async measure() {
      const codec = createFrameCodec(createKernel({ memoryBytes: 32 * 1024 * 1024 }))
      const wal = await openWal({
        folder: work.scratch.fresh('wal'),
        segmentBytes: SEGMENT_BYTES,
        fsync,
        files: nodeFiles,
        clock: systemClock,
        observer: SILENT_OBSERVER,
        verify: (bytes) => codec.verify(bytes) === undefined,
      })
      const measured = await timed(work, async () => {
        for (let commit = 0; commit < work.commits; commit++) await wal.append(groupOf(work, commit))
      })
      await wal.close()
      work.scratch.remove('wal')
      return measured
    },
  }
}

function plain(work: Work): void {
  const file = join(work.scratch.fresh('plain'), 'file')
  const fd = openSync(file, 'w')
  for (let commit = 0; commit < work.commits; commit++) {
    for (const { encoded } of groupOf(work, commit)) writeSync(fd, encoded)
    fdatasyncSync(fd)
  }
  closeSync(fd)
  work.scratch.remove('plain')
}

function groupOf({ frames, group }: Work, commit: number): Work['frames'] {
  return Array.from(
    { length: group },
    (_, n) => frames[(commit + n) % frames.length] as Work['frames'][number],
  )
}

async function timed(work: Work, run: () => Promise<void>): Promise<Measurement> {
  const startedMs = performance.now()
  const before = process.cpuUsage()
  await run()
  const { user, system } = process.cpuUsage(before)
  const seconds = (performance.now() - startedMs) / 1000
  const records = work.commits * work.group * FRAME_RECORDS
  let bytes = 0
  for (let commit = 0; commit < work.commits; commit++)
    for (const { encoded } of groupOf(work, commit)) bytes += encoded.length
  return {
    megabytesPerSecond: bytes / seconds / 1e6,
    recordsPerCpuSecond: records / ((user + system) / 1e6),
    recordsPerSecond: records / seconds,
    commitMillis: (seconds * 1000) / work.commits,
  }
}
