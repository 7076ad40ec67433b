// Does what a plan says: one fault at its time, and takes it back at its end.
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { seededRandom } from '../../benchmarks/generate/random.js'
import { type BackendName, faultsOf } from './backend-faults.js'
import type { Key } from './oracle.js'
import type { PlannedFault } from './plan.js'
import type { Member, Scene } from './scene.js'
import { operate } from './surgery.js'

export interface Injector {
  /** Resolves when the fault is over. */
  inject(fault: PlannedFault): Promise<void>
  /** Takes everything back that may still be on. */
  clear(): void
  /** In frames made unreadable. */
  readonly spoiled: Set<Key>
  /** Faults that were really made, by kind, and those that this machine can not make. */
  readonly made: Map<string, number>
  readonly notMade: Map<string, number>
}

const TERMINATE_WITHIN_MS = 40_000
/** A node may take so long to say that its disk has gone. */
const EXCUSED_AFTER_MS = 5000
const DESCRIPTORS_LEFT = 45

export function createInjector(scene: Scene, seed: number, say: (line: string) => void): Injector {
  const random = seededRandom(seed + 77)
  const spoiled = new Set<Key>()
  const made = new Map<string, number>()
  const notMade = new Map<string, number>()
  // What ends or stops a process takes turns, a node at a time.
  const turns = scene.members.map(() => Promise.resolve())
  const latest = new Map<string, object>()
  const count = (into: Map<string, number>, what: string) => void into.set(what, (into.get(what) ?? 0) + 1)

  function inTurn(n: number, run: () => Promise<boolean>): Promise<boolean> {
    const result = (turns[n] ?? Promise.resolve()).then(run)
    turns[n] = result.then(() => undefined)
    return result
  }

  /** On, and off again after the time, unless a later fault of the same place has taken over. */
  async function hold(place: string, forMs: number, on: () => boolean, off: () => void): Promise<boolean> {
    const token = {}
    latest.set(place, token)
    if (!on()) return false
    await sleep(forMs)
    if (latest.get(place) === token) off()
    return true
  }

  async function killed(member: Member, fault: PlannedFault & { kind: 'kill' }): Promise<boolean> {
    await member.node.kill()
    const damage = await operate(member.node.dataDir, fault.surgery, random)
    for (const key of damage.spoiled) spoiled.add(key)
    if (!damage.done.startsWith('nothing')) {
      count(made, `journal ${fault.surgery}`)
      say(`node ${fault.node}: ${damage.done}`)
    }
    await sleep(fault.downMs)
    member.node.start()
    return true
  }

  async function terminated(member: Member, downMs: number): Promise<boolean> {
    const code = await member.node.terminate(TERMINATE_WITHIN_MS)
    // A signal that comes before the node takes any ends it as it ends each process.
    const tooEarly = code === 'SIGTERM' && !member.node.hasRun()
    const excused = performance.now() < member.excusedUntilMs || tooEarly
    if (code !== 0 && code !== null && !excused) member.node.unasked.push(`SIGTERM ended it with ${code}`)
    await sleep(downMs)
    member.node.start()
    return true
  }

  async function frozen({ node }: Member, forMs: number): Promise<boolean> {
    node.signal('SIGSTOP')
    await sleep(forMs)
    node.signal('SIGCONT')
    return true
  }

  async function rotated({ corpus }: Member, times: number, everyMs: number): Promise<boolean> {
    for (let n = 0; n < times; n++) {
      corpus.write(20)
      corpus.rotate()
      await sleep(everyMs)
    }
    return true
  }

  /** The disk or the descriptors of a node: while they are gone, the process may end by itself. */
  function starved(
    n: number,
    member: Member,
    forMs: number,
    place: string,
    on: () => boolean,
    off: () => void,
  ) {
    const until = performance.now() + forMs + EXCUSED_AFTER_MS
    member.excusedUntilMs = Math.max(member.excusedUntilMs, until)
    return hold(`${place} ${n}`, forMs, on, off)
  }

  function make(fault: PlannedFault): Promise<boolean> {
    const member = scene.members[fault.node] as Member
    const { node, disk } = member
    switch (fault.kind) {
      case 'kill':
        return inTurn(fault.node, () => killed(member, fault))
      case 'terminate':
        return inTurn(fault.node, () => terminated(member, fault.downMs))
      case 'freeze':
        return inTurn(fault.node, () => frozen(member, fault.forMs))
      case 'thread':
        return inTurn(fault.node, () => node.endThread(fault.actor))
      case 'disk_full':
        return starved(fault.node, member, fault.forMs, 'disk', disk.fill, disk.empty)
      case 'disk_refuses':
        return starved(
          fault.node,
          member,
          fault.forMs,
          'fsize',
          () => node.limit('fsize', 0),
          () => node.limit('fsize', 'unlimited'),
        )
      case 'disk_fails':
        return starved(
          fault.node,
          member,
          fault.forMs,
          'disk fails',
          () => {
            writeFileSync(node.diskFile, fault.at)
            return process.platform === 'linux'
          },
          () => writeFileSync(node.diskFile, ''),
        )
      case 'descriptors':
        return starved(
          fault.node,
          member,
          fault.forMs,
          'nofile',
          () => node.limit('nofile', DESCRIPTORS_LEFT),
          () => node.limit('nofile', 4096),
        )
      case 'clock':
        writeFileSync(node.clockFile, String(fault.shiftMs))
        return Promise.resolve(true)
      case 'rotation':
        return rotated(member, fault.times, fault.everyMs)
      case 'burst':
        member.corpus.write(fault.records)
        return Promise.resolve(true)
      case 'backend':
        return hold(
          fault.backend,
          fault.forMs,
          () => {
            scene.backends.setFaults(fault.backend, faultsOf(fault.backend, fault.fault))
            return true
          },
          () => scene.backends.setFaults(fault.backend, undefined),
        )
      case 'network':
        return hold(
          `network ${fault.backend}`,
          fault.forMs,
          () => {
            scene.proxies[fault.backend]?.set(fault.mode)
            return scene.proxies[fault.backend] !== undefined
          },
          () => scene.proxies[fault.backend]?.set(undefined),
        )
      case 'nats':
        return hold(
          'nats',
          fault.downMs,
          () => {
            void scene.nats?.kill()
            return scene.nats !== undefined
          },
          () => scene.nats?.start(),
        )
    }
  }

  return {
    spoiled,
    made,
    notMade,
    inject: async (fault) => count((await make(fault)) ? made : notMade, fault.kind),
    clear() {
      for (const backend of ['es', 'loki'] satisfies BackendName[]) {
        scene.backends.setFaults(backend, undefined)
      }
      for (const proxy of Object.values(scene.proxies)) proxy.set(undefined)
      scene.nats?.start()
      for (const { node, disk } of scene.members) {
        disk.empty()
        writeFileSync(node.clockFile, '0')
        writeFileSync(node.diskFile, '')
        node.start()
      }
    },
  }
}
