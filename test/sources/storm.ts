// A storm of rotations as a list of steps: what a container writes, what the kubelet does with its files, and what befalls the node.
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPositionTable } from '../../runtime/wal/position-table.js'
import { type IngestLife, type LifeFrame, startLife } from './ingest-life.js'
import { meddleWith, noDescriptors } from './unruly-fs.js'

/** What the container and the kubelet do: pieces are lines of the log; a record has one to four of them. */
export type WorldStep = { readonly kind: 'write'; readonly pieces: number } | { readonly kind: 'rotate' }

export type Step =
  | WorldStep
  | { readonly kind: 'pass'; readonly ms: number }
  /** At the n-th call of the node from now that opens, lists or looks. */
  | { readonly kind: 'meddle'; readonly calls: number; readonly world: WorldStep }
  /** For so many milliseconds every n-th open or listing fails. */
  | { readonly kind: 'starve'; readonly ms: number; readonly every: number }
  /** For so many milliseconds every n-th read of any file fails. */
  | { readonly kind: 'disk'; readonly ms: number; readonly every: number }
  /** For so many milliseconds what is asked of packed files is not answered. */
  | { readonly kind: 'hold'; readonly ms: number }
  /** Of the frames that were sealed, this share of those not durable yet is; the n-th newest can't be read any more. */
  | { readonly kind: 'kill'; readonly share: number; readonly downMs: number; readonly damaged?: number }
  | { readonly kind: 'clock'; readonly shiftMs: number }

export interface StormOptions {
  readonly root: string
  readonly gzip: boolean
  /** Number of pieces of the n-th record, and its stream. */
  record(n: number): { pieces: number; stream: 'stdout' | 'stderr' }
  readonly filesMax?: number
  /** Each read of a packed file takes so long, in real milliseconds: the storm's own time passes much faster. */
  readonly readMs?: number
}

const POD = 'shop_cart-7d9c5b8f6d-x2k4p_0f1e2d3c-0000-4000-8000-000000000001'
const END_WITHIN_MS = 120_000

/** The container and the kubelet. */
function createWorld({ root, gzip, record }: StormOptions) {
  const folder = join(root, POD, 'main')
  mkdirSync(folder, { recursive: true })
  const live = join(folder, '0.log')
  const wholes: string[] = []
  /** Records begun, a stream each. */
  const open = new Map<string, { n: number; at: number; pieces: number }>()
  let begun = 0
  let rotations = 0
  let previous: string | undefined
  writeFileSync(live, '')

  function writePiece(): void {
    const next = record(begun)
    const known = open.get(next.stream)
    const current = known ?? { n: begun++, at: 0, pieces: next.pieces }
    const isLast = ++current.at === current.pieces
    const stamp = `2026-11-23T10:00:00.${String(current.n * 10 + current.at).padStart(9, '0')}Z`
    appendFileSync(live, `${stamp} ${next.stream} ${isLast ? 'F' : 'P'} r${current.n}p${current.at};\n`)
    open.set(next.stream, current)
    if (!isLast) return
    open.delete(next.stream)
    wholes.push(Array.from({ length: current.pieces }, (_, n) => `r${current.n}p${n + 1};`).join(''))
  }

  function pack(path: string): void {
    writeFileSync(`${path}.tmp`, gzipSync(readFileSync(path), { level: 1 }))
    renameSync(`${path}.tmp`, `${path}.gz`)
    rmSync(path)
  }

  return {
    apply(step: WorldStep): void {
      if (step.kind === 'write') {
        for (let n = 0; n < step.pieces; n++) writePiece()
        return
      }
      const stamp = new Date(Date.UTC(2026, 0, 1) + rotations++ * 1000).toISOString()
      const rotated = `${live}.${stamp.replace(/[-:]/g, '').replace('T', '-').slice(0, 15)}`
      renameSync(live, rotated)
      if (gzip && previous !== undefined && existsSync(previous)) pack(previous)
      previous = rotated
      writeFileSync(live, '')
    },
    /** Ends what is begun, so that everything can be demanded. */
    finish(): void {
      for (let n = 0; open.size > 0 && n < 100; n++) writePiece()
      // A stream of which no further record is due stays open: it is written by hand.
      for (const [stream, { n, at, pieces }] of open) {
        for (let piece = at + 1; piece <= pieces; piece++)
          appendFileSync(
            live,
            `2026-11-23T10:00:01.000000000Z ${stream} ${piece === pieces ? 'F' : 'P'} r${n}p${piece};\n`,
          )
        wholes.push(Array.from({ length: pieces }, (_, p) => `r${n}p${p + 1};`).join(''))
      }
    },
    wholes,
  }
}

export interface StormResult {
  readonly lost: readonly string[]
  readonly alien: readonly string[]
  readonly twice: readonly string[]
  readonly records: number
}

/** Lets the steps happen, then calm return, and compares what was written with what came of it. */
export async function storm(options: StormOptions, steps: readonly Step[]): Promise<StormResult> {
  const world = createWorld(options)
  const time = { monotonicMs: 1_000_000, wallShiftMs: 0 }
  const durable: LifeFrame[] = []
  const spoiled = new Set<string>()
  function damage(at: number): void {
    const frame = durable[at]
    if (frame === undefined) return
    for (const record of recordsOf(frame)) spoiled.add(record)
    durable[at] = { positions: [], lines: [] }
  }
  let meddler: { calls: number; world: WorldStep } | undefined
  let starved = { untilMs: 0, every: 1, calls: 0 }
  let failing = starved
  let held: Promise<void> | undefined
  const { readMs } = options
  const beforeRead = () => held ?? (readMs === undefined ? undefined : sleep(readMs))
  const fs = meddleWith(
    options.root,
    (call, path) => {
      if (meddler !== undefined && --meddler.calls <= 0) {
        const { world: step } = meddler
        meddler = undefined
        world.apply(step)
      }
      if (call === 'stat' || time.monotonicMs >= starved.untilMs) return
      if (starved.calls++ % starved.every === 0) throw noDescriptors(path)
    },
    beforeRead,
    () => time.monotonicMs < failing.untilMs && failing.calls++ % failing.every === 0,
  )
  const start = (): Promise<IngestLife> => {
    const table = createPositionTable()
    for (const { positions } of durable) table.apply(positions)
    const { root, filesMax } = options
    return startLife({
      root,
      positions: table.of('pods'),
      time,
      // What is held or slow by design is not waited for.
      isBusy: () => held === undefined && readMs === undefined && fs.isBusy(),
      ...(filesMax === undefined ? {} : { filesMax }),
    })
  }
  let life = await start()
  try {
    for (const step of steps) {
      if (step.kind === 'pass') await life.pass(step.ms)
      else if (step.kind === 'hold') {
        let release = (): void => undefined
        held = new Promise((resolve) => (release = resolve))
        await life.pass(step.ms)
        held = undefined
        release()
      } else if (step.kind === 'clock') time.wallShiftMs = step.shiftMs
      else if (step.kind === 'starve')
        starved = { untilMs: time.monotonicMs + step.ms, every: step.every, calls: 0 }
      else if (step.kind === 'disk')
        failing = { untilMs: time.monotonicMs + step.ms, every: step.every, calls: 0 }
      else if (step.kind === 'meddle') meddler = { calls: step.calls, world: step.world }
      else if (step.kind === 'kill') {
        durable.push(...life.frames.slice(0, Math.round(life.frames.length * step.share)))
        life.end()
        if (step.damaged !== undefined) damage(durable.length - step.damaged)
        time.monotonicMs += step.downMs
        life = await start()
      } else fs.unmeddled(() => world.apply(step))
    }
    meddler = undefined
    starved = { untilMs: 0, every: 1, calls: 0 }
    failing = starved
    fs.unmeddled(world.finish)
    return await settled(() => compare(world.wholes, [...durable, ...life.frames], spoiled), life)
  } finally {
    fs.restore()
    life.end()
  }
}

async function settled(compared: () => StormResult, life: IngestLife) {
  let result = compared()
  for (let passedMs = 0; result.lost.length > 0 && passedMs < END_WITHIN_MS; passedMs += 100) {
    await life.pass(100)
    result = compared()
    // What was joined wrongly does not come right by waiting.
    if (result.alien.length > 0 && passedMs > END_WITHIN_MS / 10) break
  }
  await life.pass(1000)
  return compared()
}

const PIECE = /r\d+(?=p\d+;)/g

/** Records that a frame holds, and those begun or ended in it. */
function recordsOf({ lines, positions }: LifeFrame): string[] {
  const begun = positions.flatMap(({ carry = [] }) => carry.map(({ bytes }) => Buffer.from(bytes).toString()))
  return [...lines, ...begun].flatMap((text) => text.match(PIECE) ?? [])
}

/** Spoiled records, of a frame that can't be read, may be missing, in pieces, or read again; they take nothing of another with them. */
function compare(
  wholes: readonly string[],
  frames: readonly LifeFrame[],
  spoiled: ReadonlySet<string>,
): StormResult {
  const isSpoiled = (text: string): boolean =>
    (text.match(PIECE) ?? [text]).every((each) => spoiled.has(each))
  const wanted = new Set(wholes)
  const seen = new Map<string, number>()
  for (const { lines } of frames) {
    for (const line of lines) {
      const message = /"message":"([^"]*)"/.exec(line)?.[1] ?? line
      seen.set(message, (seen.get(message) ?? 0) + 1)
    }
  }
  return {
    lost: wholes.filter((whole) => !seen.has(whole) && !isSpoiled(whole)),
    alien: [...seen.keys()].filter((message) => !wanted.has(message) && !isSpoiled(message)),
    twice: [...seen].flatMap(([message, count]) => (count > 1 && !isSpoiled(message) ? [message] : [])),
    records: wholes.length,
  }
}
