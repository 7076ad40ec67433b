// A plan of faults made from a seed: what a run looks like, what goes wrong in it and when. The same seed gives the same plan.
import { seededRandom } from '../../benchmarks/generate/random.js'
import { BACKEND_FAULTS, type BackendName } from './backend-faults.js'
import { DISK_FAILURES, type DiskFailure } from './disk-fault.js'
import { NETWORK_MODES, type NetworkMode } from './proxy.js'

/** What is done to the journal while its node is dead. */
export const SURGERIES = ['none', 'torn', 'zeros', 'flip', 'flip_head', 'cursor'] as const
export type Surgery = (typeof SURGERIES)[number]

/** The actors whose threads are ended; a group goes down whole. */
const THREAD_ACTORS = ['journal', 'parse', 'source.pods', 'writer.es', 'writer.loki'] as const

export type Fault =
  | { readonly kind: 'kill'; readonly surgery: Surgery; readonly downMs: number }
  | { readonly kind: 'terminate'; readonly downMs: number }
  | { readonly kind: 'thread'; readonly actor: (typeof THREAD_ACTORS)[number] }
  | { readonly kind: 'freeze'; readonly forMs: number }
  | { readonly kind: 'disk_full'; readonly forMs: number }
  | { readonly kind: 'disk_refuses'; readonly forMs: number }
  | { readonly kind: 'disk_fails'; readonly at: DiskFailure; readonly forMs: number }
  | { readonly kind: 'descriptors'; readonly forMs: number }
  | { readonly kind: 'clock'; readonly shiftMs: number }
  | { readonly kind: 'rotation'; readonly times: number; readonly everyMs: number }
  | { readonly kind: 'burst'; readonly records: number }
  | {
      readonly kind: 'backend'
      readonly backend: BackendName
      readonly fault: string
      readonly forMs: number
    }
  | {
      readonly kind: 'network'
      readonly backend: Far
      readonly mode: NetworkMode
      readonly forMs: number
    }
  | { readonly kind: 'nats'; readonly downMs: number }

/** What lies behind the network. */
export type Far = BackendName | 'nats'
export type FaultKind = Fault['kind']
export type PlannedFault = { readonly atMs: number; readonly node: number } & Fault

/** What a run is made of besides its faults. */
export interface Shape {
  readonly nodes: number
  readonly podsPerNode: number
  readonly recordsPerSecond: number
  readonly rotateBytes: number
  readonly gzipRotated: boolean
  readonly journalBytes: number
  readonly frameBytes: number
  readonly slots: number
  /** Each actor of the delivery in a thread of its own, whatever the machine. */
  readonly spread: boolean
  /** Frames are checked seconds after their acknowledgement; else never. */
  readonly audit: boolean
  /** The nodes use a nats-server of the run's own. */
  readonly nats: boolean
  /** Where frames wait: in the node's journal, or in JetStream, from where any node takes them. */
  readonly buffer: 'local' | 'jetstream'
}

export interface Plan {
  readonly seed: number
  readonly durationMs: number
  readonly backends: 'stand-ins' | 'real'
  readonly shape: Shape
  readonly faults: readonly PlannedFault[]
}

export interface PlanOptions {
  readonly seed: number
  readonly durationMs: number
  readonly backends: Plan['backends']
  /** A nats-server of the run's own is there to be restarted. */
  readonly nats: boolean
}

const KIB = 1024
const MIB = 1024 * KIB
/** Mean time between faults; each one may overlap the next ones. */
const FAULT_EVERY_MS = 1500
/** The run begins and ends without new faults, so that each node has lived. */
const QUIET_MS = 1000

/** How often each kind is drawn, against the sum. */
const WEIGHTS: Readonly<Record<FaultKind, number>> = {
  kill: 6,
  terminate: 1,
  thread: 4,
  freeze: 1,
  disk_full: 2,
  disk_refuses: 2,
  disk_fails: 3,
  descriptors: 1,
  clock: 2,
  rotation: 3,
  burst: 2,
  backend: 8,
  network: 5,
  nats: 3,
}

export function makePlan({ seed, durationMs, backends, nats }: PlanOptions): Plan {
  const draw = createDraw(seed)
  const nodes = draw.oneOf([1, 1, 2, 3])
  const shape: Shape = {
    nodes,
    podsPerNode: draw.between(2, 12),
    recordsPerSecond: draw.between(200, Math.round(900 / nodes)),
    rotateBytes: draw.oneOf([40, 150, 600]) * KIB,
    gzipRotated: draw.oneOf([true, false]),
    journalBytes: draw.oneOf([2, 4, 24]) * MIB,
    frameBytes: draw.oneOf([32, 64, 256]) * KIB,
    slots: draw.oneOf([8, 16]),
    spread: draw.oneOf([true, false]),
    audit: draw.oneOf([true, false]),
    nats,
    buffer: draw.oneOf(nats ? ['local', 'local', 'jetstream'] : ['local']),
  }
  const kinds = Object.keys(WEIGHTS).filter(
    (kind): kind is FaultKind =>
      (kind !== 'backend' || backends === 'stand-ins') && (kind !== 'nats' || nats),
  )
  const faults: PlannedFault[] = []
  for (let atMs = QUIET_MS; ; ) {
    atMs += draw.between(FAULT_EVERY_MS / 3, (FAULT_EVERY_MS * 5) / 3)
    if (atMs > durationMs - QUIET_MS) break
    faults.push({ atMs, node: draw.between(0, nodes - 1), ...faultOf(draw.weighted(kinds), draw, nats) })
  }
  return { seed, durationMs, backends, shape, faults }
}

function faultOf(kind: FaultKind, draw: Draw, nats: boolean): Fault {
  const forMs = draw.between(300, 4000)
  switch (kind) {
    case 'kill':
      return { kind, surgery: draw.oneOf(SURGERIES), downMs: draw.between(0, 2000) }
    case 'terminate':
    case 'nats':
      return { kind, downMs: draw.between(0, 3000) }
    case 'thread':
      return { kind, actor: draw.oneOf(THREAD_ACTORS) }
    case 'freeze':
    case 'disk_full':
    case 'disk_refuses':
    case 'descriptors':
      return { kind, forMs }
    case 'disk_fails':
      return { kind, at: draw.oneOf(DISK_FAILURES), forMs }
    case 'clock':
      return { kind, shiftMs: draw.oneOf([-7_200_000, -60_000, -1500, 0, 1500, 60_000, 7_200_000]) }
    case 'rotation':
      return { kind, times: draw.between(3, 15), everyMs: draw.between(5, 150) }
    case 'burst':
      return { kind, records: draw.between(500, 5000) }
    case 'backend': {
      const backend = draw.oneOf(['es', 'loki'] as const)
      return { kind, backend, fault: draw.oneOf(BACKEND_FAULTS[backend]).name, forMs }
    }
    case 'network':
      return {
        kind,
        backend: draw.oneOf<Far>(nats ? ['es', 'loki', 'nats'] : ['es', 'loki']),
        mode: draw.oneOf(NETWORK_MODES),
        forMs,
      }
  }
}

interface Draw {
  /** A whole number in [from, to]. */
  between(from: number, to: number): number
  oneOf<Item>(items: readonly Item[]): Item
  weighted(kinds: readonly FaultKind[]): FaultKind
}

function createDraw(seed: number): Draw {
  const random = seededRandom(seed)
  const between = (from: number, to: number) => Math.floor(from + random() * (to - from + 1))
  return {
    between,
    oneOf: <Item>(items: readonly Item[]) => items[between(0, items.length - 1)] as Item,
    weighted(kinds) {
      let left = random() * kinds.reduce((sum, kind) => sum + WEIGHTS[kind], 0)
      return kinds.find((kind) => (left -= WEIGHTS[kind]) < 0) ?? 'kill'
    },
  }
}

/** The plan as text, one fault a line, times relative to the run's start. */
export function planText({ seed, durationMs, backends, shape, faults }: Plan): string {
  const pairs = (value: object) =>
    Object.entries(value)
      .map(([name, each]) => `${name}=${each}`)
      .join(' ')
  return [
    `seed ${seed}, ${durationMs / 1000} s, ${backends}: ${pairs(shape)}`,
    ...faults.map(({ atMs, node, kind, ...more }) =>
      `  ${(atMs / 1000).toFixed(3).padStart(8)} s  node ${node}  ${kind.padEnd(12)} ${pairs(more)}`.trimEnd(),
    ),
  ].join('\n')
}
