// The processes that play the fleet, seen from the one that measures.
import { type ChildProcess, fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type FleetLook, type FleetOrder, type FleetWord, machineMs } from './fleet-messages.js'
import { exitOf } from '../harness/process.js'

export interface FleetProcesses {
  readonly processes: number
  /** Resolves with the time at which the last node followed the settings. */
  following(): Promise<number>
  /** When each node had the revision; after the bound of those that had. */
  arrivals(revision: number): Promise<readonly number[]>
  /** When each process had the plain message of this number. */
  echoes(number: number): Promise<readonly number[]>
  /** Of all processes together since the last look: CPU and knowledge summed, lateness the worst. */
  look(): Promise<FleetLook>
  close(): Promise<void>
}

const FILE = fileURLToPath(new URL('./fleet-nodes.js', import.meta.url))
const WAIT_MS = 5000
const JOIN_MS = 120_000
/** Collecting the heaps of hundreds of nodes at once takes 100 to 200 ms: no node has that, so few are due while it is measured. */
const ENGINE_FLAGS = ['--initial-heap-size=1024', '--min-semi-space-size=64', '--max-semi-space-size=64']

export function startFleetProcesses(url: string, nodes: number, services: number): FleetProcesses {
  const processes = Math.min(nodes, availableParallelism())
  const words: FleetWord[] = []
  const followers = new Map<ChildProcess, boolean>()
  let heard: () => void = () => undefined
  let failed: Error | undefined
  const children = Array.from({ length: processes }, (_, n) => {
    const child = fork(FILE, { execArgv: ENGINE_FLAGS, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const [first, end] = [n, n + 1].map((at) => Math.floor((at * nodes) / processes)) as [number, number]
    child.on('message', (word: FleetWord) => {
      if (word.type === 'following') followers.set(child, word.nodes === end - first)
      words.push(word)
      heard()
    })
    child.once('exit', (code) => {
      failed = new Error(`a process of the fleet ended with ${code}`)
      heard()
    })
    order(child, { type: 'start', url, first, count: end - first, nodes, services })
    return child
  })

  /** Takes what answers `take`, until `enough` is there or the time is over. */
  async function collect<T>(
    take: (word: FleetWord) => T | undefined,
    enough: () => boolean,
    waitMs: number,
  ): Promise<T[]> {
    const found: T[] = []
    for (const untilMs = machineMs() + waitMs; ; ) {
      for (const word of words.splice(0)) {
        const taken = take(word)
        if (taken !== undefined) found.push(taken)
      }
      if (failed !== undefined) throw failed
      const leftMs = untilMs - machineMs()
      if (enough() || leftMs <= 0) return found
      const ending = new AbortController()
      await Promise.race([
        new Promise<void>((resolve) => (heard = resolve)),
        sleep(leftMs, undefined, { signal: ending.signal }).catch(() => undefined),
      ])
      ending.abort()
    }
  }

  function fromEach<T>(take: (word: FleetWord) => T | undefined): Promise<T[]> {
    let count = 0
    const counted = (word: FleetWord): T | undefined => {
      const taken = take(word)
      if (taken !== undefined) count++
      return taken
    }
    return collect(counted, () => count === processes, WAIT_MS)
  }

  return {
    processes,
    async following() {
      const all = (): boolean => children.every((child) => followers.get(child) === true)
      const times = await collect((word) => (word.type === 'following' ? word.atMs : undefined), all, JOIN_MS)
      if (!all()) throw new Error(`not all nodes follow the settings after ${JOIN_MS / 1000} s`)
      return Math.max(...times)
    },
    async arrivals(revision) {
      const of = (word: FleetWord) =>
        word.type === 'arrived' && word.revision === revision ? word.atMs : undefined
      const found = await fromEach(of)
      if (found.length === processes) return found.flat()
      // Some complete ones are given twice, as nothing: they were let go.
      for (const child of children) order(child, { type: 'give', revision })
      return [...found, ...(await fromEach(of))].flat()
    },
    echoes: (number) =>
      fromEach((word) => (word.type === 'echoed' && word.number === number ? word.atMs : undefined)),
    async look() {
      for (const child of children) order(child, { type: 'look' })
      const looks = await fromEach((word) => (word.type === 'looked' ? word : undefined))
      const sum = (of: (look: FleetLook) => number) => looks.reduce((all, each) => all + of(each), 0)
      const most = (of: (look: FleetLook) => number) => Math.max(...looks.map(of))
      return {
        type: 'looked',
        cpuMs: sum(({ cpuMs }) => cpuMs),
        informed: sum(({ informed }) => informed),
        lateP99Ms: most(({ lateP99Ms }) => lateP99Ms),
        lateMostMs: most(({ lateMostMs }) => lateMostMs),
      }
    },
    async close() {
      const ended = children.map((child) => {
        const exited = exitOf(child)
        // They hold nothing that is worth a farewell.
        child.kill('SIGKILL')
        return exited
      })
      await Promise.all(ended)
    },
  }
}

function order(child: ChildProcess, what: FleetOrder): void {
  child.send(what)
}
