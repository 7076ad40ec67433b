// A folder of logs and sources that follow it, made for each test of a file and taken down after it.
import { afterEach, beforeEach } from 'node:test'
import { fileSource } from '../../actors/sources/file.js'
import { kubernetesSource } from '../../actors/sources/kubernetes.js'
import { fileSource as fileSchema, kubernetesSource as podsSchema } from '../../protocol/config/sources.js'
import type { Carry, FilePosition } from '../../protocol/positions.js'
import { createBench, RECORDS, type Bench, type BenchOptions } from './bench.js'
import { logFolder, type LogFolder } from './folders.js'

export type StartSource = (
  options?: Record<string, unknown>,
  positions?: readonly FilePosition[],
  bench?: BenchOptions,
) => Promise<Bench>

export interface Fixture {
  /** The present test's folder. */
  readonly folder: LogFolder
  /** A kubernetes source over the folder, without the API. */
  readonly pods: StartSource
  /** A file source over the folder's `*.log`. */
  readonly files: StartSource
}

/** A record of which only the first piece has been read. */
export const BEGUN: Carry = {
  stream: 'stdout',
  tsNs: '1',
  tsDigits: 9,
  lines: 1,
  bytes: Buffer.from('begun '),
  truncated: false,
  kind: 'partial',
}

/** Shorter than the schema allows, so that tests need not wait. */
const QUICK = { poll: 10, rescan: 20, line_wait_max: 150 }

export function sourcesFixture(): Fixture {
  let folder: LogFolder | undefined
  let benches: Bench[] = []

  beforeEach(() => {
    folder = logFolder()
  })
  afterEach(async () => {
    for (const bench of benches) await bench.stop()
    benches = []
    folder?.remove()
  })

  function made(options: BenchOptions): Bench {
    const bench = createBench(options)
    benches.push(bench)
    return bench
  }

  return {
    get folder() {
      if (folder === undefined) throw new Error('outside of a test')
      return folder
    },
    async pods(options = {}, positions = [], benchOptions = {}) {
      const bench = made({ name: 'pods', ...benchOptions })
      const plain = podsSchema.parse({ type: 'kubernetes', path: this.folder.root, api: 'off' })
      const source = { name: 'pods', options: { ...plain, ...QUICK, ...options }, records: RECORDS }
      await bench.start(kubernetesSource(bench.context, source), positions)
      return bench
    },
    async files(options = {}, positions = [], benchOptions = {}) {
      const bench = made({ name: 'app', ...benchOptions })
      const plain = fileSchema.parse({ type: 'file', include: [this.folder.path('*.log')] })
      const source = { name: 'app', options: { ...plain, ...QUICK, ...options }, records: RECORDS }
      await bench.start(fileSource(bench.context, source), positions)
      return bench
    },
  }
}

/** Waits until so many lines have arrived. */
export function has(bench: Bench, count: number): Promise<void> {
  return bench.until(() => bench.lines().length >= count, `${count} lines`)
}

/** Waits until a `once` source has told its end. */
export function ended(bench: Bench): Promise<void> {
  return bench.until(() => bench.other.some(({ type }) => type === 'end_of_input'), 'the end')
}

/** The numbers that the lines of a test end with, in order of arrival. */
export function numbers(bench: Bench): number[] {
  return bench.lines().map((line) => Number(line.split(' ').at(-1)))
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, n) => from + n)
}

export function upTo(count: number): number[] {
  return range(0, count)
}

/** Bare lines with these numbers. */
export function lines(...of: number[]): string {
  return of.map((n) => `line ${n}\n`).join('')
}
