// The archive on real files: by the hour of the record, each frame once, readable by every gzip tool, whatever a crash left behind.
import assert from 'node:assert/strict'
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { deleteBefore } from '../../actors/writers/archive/retention.js'
import { frameId, makeFrame, recentRecords, type TestFrame, type TestRecord } from './frames.js'
import { type BackendInput, startWriter, type WriterUnderTest } from './journal.js'

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-archive-'))
  try {
    await run(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function withWriter(
  folder: string,
  run: (writer: WriterUnderTest) => Promise<void>,
  options: Partial<BackendInput> = {},
): Promise<void> {
  const writer = await startWriter({ type: 'archive', path: folder, ...options })
  try {
    await run(writer)
  } finally {
    await writer.stop()
  }
}

function filesOf(folder: string): string[] {
  return (readdirSync(folder, { recursive: true }) as string[]).filter((name) => name.endsWith('.gz')).sort()
}

function textOf(folder: string): string[] {
  return filesOf(folder).flatMap((name) =>
    gunzipSync(readFileSync(path.join(folder, name)))
      .toString()
      .trimEnd()
      .split('\n'),
  )
}

function linesOf(...frames: TestFrame[]): string[] {
  return frames.flatMap(({ id, lines }) =>
    lines.map((line, n) => `${line.slice(0, -1)},"batch_id":"${id}","rid":"${id}-${n}"}`),
  )
}

/** All at 10:30, so that they are in one file. */
function records(count: number): TestRecord[] {
  const from = BigInt(Date.UTC(2026, 10, 23, 10, 30)) * 1_000_000n
  return Array.from({ length: count }, (_, n) => ({ tsNs: from + BigInt(n), message: `message ${n}` }))
}

test('records lie in the file of their hour, with their ids', () =>
  inFolder((folder) =>
    withWriter(folder, async (writer) => {
      const hourNs = BigInt(Date.UTC(2026, 10, 23, 23)) * 1_000_000n
      const frame = makeFrame(
        frameId(1),
        [-1n, 0n, 3_599_999_999_999n, 3_600_000_000_000n].map((after) => ({ tsNs: hourNs + after })),
      )
      writer.send(1, frame)
      await writer.allDone(1)
      const names = [
        '2026/11/23/22.node-1.0.ndjson.gz',
        '2026/11/23/23.node-1.0.ndjson.gz',
        '2026/11/24/00.node-1.0.ndjson.gz',
      ]
      assert.deepEqual(filesOf(folder), names)
      assert.deepEqual(textOf(folder), linesOf(frame))
    }),
  ))

test('frames that are delivered again after a restart are not in the file twice', () =>
  inFolder(async (folder) => {
    const frames = [1, 2, 3].map((seq) => makeFrame(frameId(seq), records(50)))
    await withWriter(folder, async (writer) => {
      writer.send(1, frames[0]!)
      await writer.allDone(1)
      writer.send(2, frames[1]!)
      await writer.allDone(2)
    })
    await withWriter(folder, async (writer) => {
      for (const seq of [1, 2, 3]) writer.send(seq, frames[seq - 1]!, 'encoded')
      await writer.allDone(1, 2, 3)
    })
    assert.deepEqual(textOf(folder), linesOf(...frames))
  }))

test('a member that was torn by a crash is cut off, and its frames are written again', () =>
  inFolder(async (root) => {
    const [first, second] = [makeFrame(frameId(1), records(20)), makeFrame(frameId(2), records(20))]
    const write = (folder: string, ...seqs: number[]) =>
      withWriter(folder, async (writer) => {
        for (const seq of seqs) {
          writer.send(seq, seq === 1 ? first : second)
          await writer.allDone(seq)
        }
      })
    const whole = path.join(root, 'whole')
    await write(whole, 1, 2)
    const file = filesOf(whole)[0] as string
    const bytes = readFileSync(path.join(whole, file))
    const good = readFileSync(path.join(whole, file)).indexOf(Buffer.from([0x1f, 0x8b, 8, 4]), 4)
    const cuts = [1, 9, 15, 30, (bytes.length - good) >> 1, bytes.length - good - 1].map(
      (more) => good + more,
    )
    for (const cut of cuts) {
      const folder = path.join(root, String(cut))
      await write(folder, 1, 2)
      truncateSync(path.join(folder, file), cut)
      await write(folder, 1, 2)
      assert.deepEqual(textOf(folder), linesOf(first, second), `cut at ${cut}`)
    }
    // After a power cut the length may be there and the content not.
    writeFileSync(
      path.join(whole, file),
      Buffer.concat([bytes.subarray(0, bytes.length - 40), Buffer.alloc(40)]),
    )
    await write(whole, 1, 2)
    assert.deepEqual(textOf(whole), linesOf(first, second))
  }))

test("a file that somebody else's tool has written into is left alone, and the next number begun", () =>
  inFolder(async (folder) => {
    const frames = [makeFrame(frameId(1), records(5)), makeFrame(frameId(2), records(5))]
    await withWriter(folder, async (writer) => {
      writer.send(1, frames[0]!)
      await writer.allDone(1)
    })
    const file = path.join(folder, filesOf(folder)[0] as string)
    appendFileSync(file, Buffer.alloc(100_000, 'x'))
    const { size } = statSync(file)
    await withWriter(folder, async (writer) => {
      writer.send(2, frames[1]!)
      await writer.allDone(2)
    })
    assert.equal(statSync(file).size, size)
    assert.deepEqual(
      filesOf(folder).map((name) => path.basename(name)),
      ['10.node-1.0.ndjson.gz', '10.node-1.1.ndjson.gz'],
    )
  }))

test('a folder that cannot be written is waited for', () =>
  inFolder(async (root) => {
    const folder = path.join(root, 'archive')
    writeFileSync(folder, 'not a folder')
    await withWriter(folder, async (writer) => {
      await writer.until('degraded', () => writer.status()?.reason !== undefined)
      rmSync(folder)
      await writer.until('subscribe', () => writer.sent.some(({ type }) => type === 'subscribe'))
      const frame = makeFrame(frameId(1), recentRecords(5))
      writer.send(1, frame)
      await writer.allDone(1)
      assert.deepEqual(textOf(folder), linesOf(frame))
    })
  }))

test('only own files past the retention are deleted', () =>
  inFolder(async (folder) => {
    await withWriter(folder, async (writer) => {
      const at = (day: number, hour: number) => ({
        tsNs: BigInt(Date.UTC(2026, 10, day, hour, 30)) * 1_000_000n,
      })
      writer.send(1, makeFrame(frameId(1), [at(20, 5), at(20, 6), at(21, 6)]))
      await writer.allDone(1)
    })
    const day = path.join(folder, '2026', '11', '20')
    writeFileSync(path.join(day, '01.other.0.ndjson.gz'), '')
    utimesSync(path.join(day, '01.other.0.ndjson.gz'), 0, 0)
    assert.equal(await deleteBefore(folder, 'node-1', Date.UTC(2026, 10, 20, 6)), 1)
    assert.equal(await deleteBefore(folder, 'node-1', Date.UTC(2026, 10, 21, 0)), 1)
    assert.deepEqual(filesOf(folder), ['2026/11/20/01.other.0.ndjson.gz', '2026/11/21/06.node-1.0.ndjson.gz'])
  }))
