// The audit's queue of a node that stands alone: files of tasks by the time they become due, in the node's data folder.
import { appendFile, open, readdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import type { AuditTask } from '../../protocol/audit.js'
import { MillraceError, systemCode } from '../../protocol/errors.js'
import type { Clock } from '../../runtime/clock.js'
import { makeFolder } from '../../runtime/make-folder.js'
import type { AuditQueue, Leased } from './queue.js'

/*
 * <data_dir>/audit/queue/<ms>.ndjson: tasks that become due at one time, rounded up to some seconds, a JSON line each. Tasks are only ever
 * appended; a file goes when all of its tasks are through. After a crash the tasks of a file that were through already come again,
 * which costs a query. A torn last line was never acknowledged.
 */
export interface LocalLease extends Leased {
  readonly bucket: number
}

export interface LocalQueueOptions {
  readonly folder: string
  readonly bytesMax: number
  readonly clock: Pick<Clock, 'now'>
  /** Tasks that become due within so many ms share a file; default 10 s. */
  readonly bucketMs?: number
}

const BUCKET_MS = 10_000
/** A task in JSON; room is told in tasks, the bound is in bytes. */
const TASK_BYTES = 220
const NAME = /^(\d{1,15})\.ndjson$/

interface Bucket {
  bytes: number
  /** Tasks that are not through. */
  waiting: number
  /** Loaded when the bucket is due; those not yet leased. */
  tasks: AuditTask[] | undefined
}

export async function openLocalQueue(options: LocalQueueOptions): Promise<AuditQueue<LocalLease>> {
  const { folder, bytesMax, clock, bucketMs = BUCKET_MS } = options
  makeFolder(folder)
  const buckets = new Map<number, Bucket>()
  const found: AuditTask[] = []
  /** In somebody's hands: what is through, or was put back already, is nobody's to give back. */
  const held = new Set<LocalLease>()
  let bytes = 0
  for (const [number, text] of await readQueueFiles(folder)) {
    const tasks = tasksOf(text)
    for (const task of tasks) if (task.stage === 'first') found.push(task)
    const fileBytes = Buffer.byteLength(text) + (await closeTorn(fileOf(number), text))
    buckets.set(number, { bytes: fileBytes, waiting: tasks.length, tasks: undefined })
    bytes += fileBytes
  }

  function fileOf(number: number): string {
    return path.join(folder, `${number}.ndjson`)
  }

  const isDue = (bucketMs: number): boolean => bucketMs <= clock.now()

  async function append(number: number, tasks: readonly AuditTask[]): Promise<void> {
    const text = tasks.map((task) => `${JSON.stringify(task)}\n`).join('')
    const fresh = !buckets.has(number)
    const bucket = buckets.get(number) ?? { bytes: 0, waiting: 0, tasks: undefined }
    await appendDurably(fileOf(number), text, bucket.bytes)
    if (fresh) await syncFolder(folder)
    bucket.bytes += Buffer.byteLength(text)
    bytes += Buffer.byteLength(text)
    bucket.waiting += tasks.length
    bucket.tasks?.push(...tasks)
    buckets.set(number, bucket)
  }

  /** A task may be late by a bucket, never early. */
  async function put(tasks: readonly AuditTask[]): Promise<void> {
    const byBucket = new Map<number, AuditTask[]>()
    for (const task of tasks) {
      const number = Math.ceil(Math.max(task.dueMs, 0) / bucketMs) * bucketMs
      byBucket.set(number, [...(byBucket.get(number) ?? []), task])
    }
    for (const [number, some] of byBucket) await append(number, some)
  }

  async function through(leased: readonly LocalLease[]): Promise<void> {
    for (const lease of leased) {
      if (!held.delete(lease)) continue
      const number = lease.bucket
      const bucket = buckets.get(number)
      if (bucket === undefined || --bucket.waiting > 0) continue
      buckets.delete(number)
      bytes -= bucket.bytes
      await rm(fileOf(number), { force: true })
    }
  }

  const dueNumbers = (): number[] => [...buckets.keys()].filter(isDue).sort((a, b) => a - b)
  /** One change at a time: an append and a deletion of the same file must not meet. */
  let last: Promise<unknown> = Promise.resolve()
  function inTurn<T>(run: () => Promise<T>): Promise<T> {
    const result = last.then(run)
    last = result.catch(() => undefined)
    return result
  }

  return {
    put: (tasks, again = false) =>
      inTurn(async () => {
        const most = tasks.length * TASK_BYTES
        // Those that come again leave the place that they had: refused, a full queue would never become shorter.
        if (!again && bytes + most > bytesMax) throw queueFull(folder, bytes, bytesMax)
        await put(tasks)
      }),
    take: (most) =>
      inTurn(async () => {
        const leased: LocalLease[] = []
        for (const number of dueNumbers()) {
          const bucket = buckets.get(number)
          if (bucket === undefined) continue
          bucket.tasks ??= tasksOf(await readFile(fileOf(number), 'utf8'))
          while (leased.length < most) {
            const task = bucket.tasks.shift()
            if (task === undefined) break
            const lease = { task, bucket: number }
            held.add(lease)
            leased.push(lease)
          }
          if (leased.length >= most) break
        }
        return leased
      }),
    done: (leased) => inTurn(() => through(leased)),
    later: (changes) =>
      inTurn(async () => {
        await put(changes.map(({ task }) => task))
        await through(changes.map(({ leased }) => leased))
      }),
    giveBack(leased) {
      for (const lease of leased) if (held.delete(lease)) buckets.get(lease.bucket)?.tasks?.push(lease.task)
    },
    waitingFirst: (node) => found.splice(0).flatMap((task) => (task.node === node ? [task.seq] : [])),
    room: () => Math.max(0, Math.floor((bytesMax - bytes) / TASK_BYTES)),
    figures() {
      const all = [...buckets]
      const sum = (some: readonly (readonly [number, Bucket])[]) =>
        some.reduce((total, [, { waiting }]) => total + waiting, 0)
      const oldest = Math.min(...buckets.keys())
      return {
        waiting: sum(all),
        due: sum(all.filter(([number]) => isDue(number))),
        oldestDueMs: buckets.size === 0 ? undefined : oldest,
      }
    },
    async close() {
      await last
    },
  }
}

function queueFull(folder: string, bytes: number, bytesMax: number): MillraceError {
  const text = `the audit's queue in ${folder} has ${bytes} of at most ${bytesMax} bytes: frames wait in the journal; raise audit.queue_bytes, or look why the audit is behind`
  return new MillraceError('audit.queue_full', text)
}

/** Every task in a queue's folder, for those who only look. */
export async function readLocalQueue(folder: string): Promise<AuditTask[]> {
  return (await readQueueFiles(folder)).flatMap(([, text]) => tasksOf(text))
}

async function readQueueFiles(folder: string): Promise<[number, string][]> {
  const files: [number, string][] = []
  for (const name of (await unlessGone(readdir(folder))) ?? []) {
    const number = NAME.exec(name)?.[1]
    if (number === undefined) continue
    const text = await unlessGone(readFile(path.join(folder, name), 'utf8'))
    if (text !== undefined) files.push([Number(number), text])
  }
  return files
}

/** A running node may have deleted it since it was listed, or there never was one. */
async function unlessGone<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Lines that do not parse are none: only a torn end can be one. */
function tasksOf(text: string): AuditTask[] {
  return text.split('\n').flatMap((line) => {
    try {
      return line === '' ? [] : [JSON.parse(line) as AuditTask]
    } catch {
      return []
    }
  })
}

/** What is appended next must not become a part of a line that was torn. Returns the bytes that this took. */
async function closeTorn(file: string, text: string): Promise<number> {
  if (text === '' || text.endsWith('\n')) return 0
  await appendFile(file, '\n')
  return 1
}

async function appendDurably(file: string, text: string, at: number): Promise<void> {
  const handle = await open(file, 'a')
  try {
    await handle.appendFile(text)
    await handle.datasync()
  } catch (error) {
    await handle.truncate(at).catch(() => undefined)
    throw error
  } finally {
    await handle.close()
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
