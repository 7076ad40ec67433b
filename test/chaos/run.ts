// One run of a plan: traffic, faults, the wait until all is delivered, and the oracle's judgement.
import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { NodeStatus } from '../../protocol/status.js'
import type { BackendName } from './backend-faults.js'
import { deadLetters } from './held.js'
import { createInjector } from './inject.js'
import { nodeEnv } from './node.js'
import { type Evidence, judge, type Key, lacking, type Verdict } from './oracle.js'
import type { Plan } from './plan.js'
import type { Pusher } from './pusher.js'
import { type Member, openScene, type Scene } from './scene.js'
import { settle } from './settling.js'

const BIN = fileURLToPath(new URL('../../../bin/millrace', import.meta.url))
const TICK_MS = 50
const WATCH_EVERY_MS = 250
const UNASKED_SHOWN = 3
const LIE_PAUSE_MS = 5000

/** What a run demands besides the records. */
export const BOUNDS = {
  /** Of a node's process, with the stated sizes of slots and batches. */
  rssBytes: 450 * 1024 * 1024,
  /** What the journal may be over `bytes_max`: one frame with a line at its limit, and the positions of a new segment. */
  journalOverBytes: 3 * 1024 * 1024,
  /** What else lies in the data folder: cursors, the audit's queue and log, dead letters. */
  dataOverBytes: 16 * 1024 * 1024,
  /** /readyz answers 200 again after the last fault. */
  liveAgainMs: 60_000,
  /** All is delivered by the running nodes after that: on a machine that has nothing else to do in seconds. */
  deliveredMs: 600_000,
  /** Until then something moves all the time: a log waits for a file that it can not open for 30 s at most. */
  pauseMs: 60_000,
  terminateMs: 40_000,
  onceMs: 120_000,
} as const

export interface RunOptions {
  readonly plan: Plan
  readonly say: (line: string) => void
  /** Sabotage: one acknowledged write is lost on its way. */
  readonly lie?: BackendName
}

export interface RunResult extends Verdict {
  readonly faults: ReadonlyMap<string, number>
  readonly notMade: ReadonlyMap<string, number>
  readonly starts: number
  readonly answers: ReadonlyMap<string, number>
  readonly unsure: number
  readonly spoiled: number
  readonly peakRssBytes: number
  readonly peakJournalBytes: number
  readonly peakDataBytes: number
  readonly liveAgainMs: number
  readonly deliveredMs: number
  /** While records were missing at the end. */
  readonly longestPauseMs: number
  readonly seconds: number
  /** Last lines of each node, where something was wrong. */
  readonly logs: readonly string[]
}

export async function runPlan({ plan, say, lie }: RunOptions): Promise<RunResult> {
  const begin = performance.now()
  const scene = await openScene({ plan, lie })
  try {
    const wrong: string[] = []
    for (const { node } of scene.members) node.start()
    await ready(scene, BOUNDS.liveAgainMs, wrong)
    if (wrong.length > 0) throw new Error(`${wrong.join('; ')}: ${scene.members[0]?.node.log().slice(-800)}`)
    const pushers = scene.startPushers()
    const injector = createInjector(scene, plan.seed, say)
    await trouble(plan, scene, injector)
    await Promise.all(pushers.map((pusher) => pusher.stop()))
    injector.clear()
    const liveAgainMs = await ready(scene, BOUNDS.liveAgainMs, wrong)
    const evidence = async (): Promise<Evidence> => ({
      ...writtenBy(scene, pushers),
      spoiled: injector.spoiled,
      corruptionTold: scene.members.some(({ node }) => node.seen.corrupt > 0),
      held: await scene.backends.held(),
      letters: await deadLetters(
        scene.members.map(({ node }) => node.dataDir),
        ['es', 'loki'],
        scene.nats && { url: scene.nats.url, clusterId: scene.backends.clusterId },
      ),
    })
    const settled = await settle({
      nodes: scene.members.map(({ node }) => node),
      missing: async () => lacking(await evidence()),
      say,
      withinMs: BOUNDS.deliveredMs,
      // What a liar has taken never comes.
      pauseMaxMs: lie === undefined ? BOUNDS.pauseMs : LIE_PAUSE_MS,
    })
    wrong.push(...settled.wrong)
    if (settled.longestPauseMs >= BOUNDS.pauseMs)
      wrong.push(
        `nothing moved for ${settled.longestPauseMs / 1000} s while records were missing, bound ${BOUNDS.pauseMs / 1000} s`,
      )
    const late = await finish(scene, wrong)
    if (late > 0) wrong.push(`the running nodes left ${late} records unread that a fresh start reads`)
    const verdict = judge(await evidence())
    const peaks = bounds(scene, plan, wrong)
    const violations = [...wrong, ...verdict.violations]
    return {
      ...verdict,
      ...peaks,
      violations,
      faults: injector.made,
      notMade: injector.notMade,
      answers: merged(pushers.map(({ answers }) => answers)),
      unsure: pushers.reduce((sum, { unsure }) => sum + unsure.size, 0),
      spoiled: injector.spoiled.size,
      liveAgainMs,
      deliveredMs: settled.tookMs,
      longestPauseMs: settled.longestPauseMs,
      seconds: (performance.now() - begin) / 1000,
      logs: violations.length > 0 ? scene.members.map(({ node }) => node.log().slice(-6000)) : [],
    }
  } finally {
    await scene.close()
  }
}

/** Traffic at the plan's rate while its faults come and go. */
async function trouble(plan: Plan, scene: Scene, injector: ReturnType<typeof createInjector>): Promise<void> {
  const begin = performance.now()
  const faults = plan.faults.map(async (fault) => {
    await sleep(fault.atMs)
    await injector.inject(fault)
  })
  let lied = scene.liar === undefined
  let over = false
  const allOver = Promise.all(faults).then(() => void (over = true))
  let due = 0
  let lookedMs = 0
  for (;;) {
    const elapsedMs = performance.now() - begin
    if (elapsedMs >= plan.durationMs && over) break
    // Faults that take longer than the run (a node on its way down) are waited for without more traffic.
    if (elapsedMs < plan.durationMs) {
      due = Math.floor((elapsedMs / 1000) * plan.shape.recordsPerSecond)
      for (const { corpus } of scene.members) corpus.write(Math.max(0, due - corpus.written()))
    }
    if (!lied && elapsedMs > plan.durationMs / 2) {
      lied = true
      scene.liar?.lieOnce()
    }
    if (elapsedMs - lookedMs > WATCH_EVERY_MS) {
      lookedMs = elapsedMs
      for (const { node } of scene.members) node.watch()
    }
    await sleep(TICK_MS)
  }
  await allOver
}

/** Ms until every node says that it is ready. */
async function ready(scene: Scene, withinMs: number, wrong: string[]): Promise<number> {
  const begin = performance.now()
  for (;;) {
    for (const { node } of scene.members) node.watch()
    const states = await Promise.all(scene.members.map(({ node }) => node.isReady()))
    const tookMs = performance.now() - begin
    if (states.every(Boolean)) return tookMs
    if (tookMs > withinMs) {
      wrong.push(`not ready ${withinMs / 1000} s after the last fault: ${await reasons(scene)}`)
      return tookMs
    }
    await sleep(100)
  }
}

async function reasons(scene: Scene): Promise<string> {
  const states = await Promise.all(scene.members.map(({ node }) => node.status()))
  return states.map((status, n) => `node ${n}: ${status?.reasons.join('; ') ?? 'no answer'}`).join(', ')
}

/** Stops every node in order and starts it once more to its end; returns the records that only this start has read. */
async function finish(scene: Scene, wrong: string[]): Promise<number> {
  let late = 0
  for (const [n, { node }] of scene.members.entries()) {
    const code = await node.terminate(BOUNDS.terminateMs)
    if (code !== 0) wrong.push(`node ${n}: SIGTERM at the end: ${code}`)
    late += await once(n, node, wrong)
    wrong.push(...node.unasked.slice(0, UNASKED_SHOWN).map((text) => `node ${n} ${text}`))
  }
  return late
}

async function once(n: number, node: Member['node'], wrong: string[]): Promise<number> {
  const args = [BIN, 'run', '--once', '--json', '-c', node.configFile]
  const options = { env: nodeEnv(node), timeout: BOUNDS.onceMs, maxBuffer: 64 * 1024 * 1024 }
  const run = promisify(execFile)(process.execPath, args, options)
  const { stdout, stderr, code } = await run.then(
    (said) => ({ ...said, code: 0 as number | string | undefined }),
    (error: Error & { stdout: string; stderr: string; code?: number | string }) => ({
      stdout: error.stdout,
      stderr: error.stderr,
      code: error.code,
    }),
  )
  if (code !== 0 && code !== 3)
    wrong.push(`node ${n}: run --once ended with ${code ?? 'its time'}: ${stderr.slice(-800)}`)
  const last = stdout.trim().split('\n').at(-1) ?? ''
  return last.startsWith('{') ? (JSON.parse(last) as NodeStatus).counters.readRecords : 0
}

function writtenBy(
  scene: Scene,
  pushers: readonly Pusher[],
): { written: Set<Key>; pushed: Set<Key>; unsure: Set<Key> } {
  const written = new Set<Key>()
  for (const { corpus, namespaces } of scene.members)
    for (let seq = 0; seq < corpus.written(); seq++) written.add(`${namespaces.files}:${seq}`)
  const all = (which: 'pushed' | 'unsure') => new Set(pushers.flatMap((pusher) => [...pusher[which]]))
  return { written, pushed: all('pushed'), unsure: all('unsure') }
}

function bounds(scene: Scene, { shape }: Plan, wrong: string[]) {
  const seen = scene.members.map(({ node }) => node.seen)
  const peakRssBytes = Math.max(...seen.map((each) => each.peakRssBytes))
  const peakJournalBytes = Math.max(...seen.map((each) => each.peakJournalBytes))
  if (peakRssBytes > BOUNDS.rssBytes) wrong.push(`RSS of ${peakRssBytes} bytes, bound ${BOUNDS.rssBytes}`)
  const most = shape.journalBytes + BOUNDS.journalOverBytes
  if (peakJournalBytes > most) wrong.push(`journal of ${peakJournalBytes} bytes, bound ${most}`)
  const peakDataBytes = Math.max(...seen.map((each) => each.peakDataBytes))
  const mostData = most + BOUNDS.dataOverBytes
  if (peakDataBytes > mostData) wrong.push(`data folder of ${peakDataBytes} bytes, bound ${mostData}`)
  const starts = seen.reduce((sum, each) => sum + each.starts, 0)
  return { peakRssBytes, peakJournalBytes, peakDataBytes, starts }
}

function merged(maps: readonly ReadonlyMap<string, number>[]): Map<string, number> {
  const sum = new Map<string, number>()
  for (const map of maps) for (const [name, count] of map) sum.set(name, (sum.get(name) ?? 0) + count)
  return sum
}
