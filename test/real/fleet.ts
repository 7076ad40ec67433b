// Nodes of the real executable on a nats-server, for tests: started, asked by the command line, ended.
import assert from 'node:assert/strict'
import { after } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { NodeStatus } from '../../protocol/status.js'
import { type Desk, openDesk, type Running } from '../node/desk.js'
import { type OwnNats, startOwnNats } from './servers/own-nats.js'

const CLEAN: (() => unknown)[] = []
/** What ends what a test began, in the reverse order. */
export const cleanLater = (clean: () => unknown) => void CLEAN.push(clean)
after(async () => {
  for (const clean of CLEAN.toReversed()) await clean()
})

/** A bound, not a wait: machines that compile beside the tests are slow. */
const WAIT_MS = 120_000

/** What the harness waits for; throws when it does not come. */
export async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  let last: unknown
  for (const deadline = Date.now() + WAIT_MS; Date.now() < deadline; await sleep(100)) {
    try {
      const found = await look()
      if (found !== undefined) return found
    } catch (error) {
      last = error
    }
  }
  throw new Error(`not within ${WAIT_MS / 1000} s: ${what}`, { cause: last })
}

export interface Fleet {
  readonly desk: Desk
  readonly nodes: readonly Running[]
  /** `millrace ctl …` with node a's configuration. */
  ctl(...words: string[]): Promise<{ code: number | null; stdout: string; stderr: string }>
  status(node: string): Promise<NodeStatus>
  /** Ends the nodes. */
  end(): Promise<void>
}

const NATS_LINES = (urls: readonly string[], more: string) =>
  `nats: { servers: [${urls.map((url) => JSON.stringify(url)).join(', ')}], retry: { initial: 50ms, max: 500ms }${more} }\n`

export async function startFleet(
  urls: readonly string[],
  names: readonly string[],
  more = '',
): Promise<Fleet> {
  const desk = openDesk()
  cleanLater(() => desk.remove())
  desk.write('logs/app.log', '{"level":"info","msg":"hello"}\n')
  for (const name of names)
    desk.write(
      `${name}.yaml`,
      `node: { id: ${name}, cluster_id: real, data_dir: ./data-${name} }\nhttp: { listen: 127.0.0.1:0 }\n` +
        'sources: { app: { type: file, include: [logs/*.log], fields: { service_name: cart, namespace: shop } } }\n' +
        `backends: { vault: { type: archive, path: ./archive-${name} } }\n${NATS_LINES(urls, more)}`,
    )
  const nodes = names.map((name) => desk.start('run', '-c', `${name}.yaml`))
  await Promise.all(nodes.map((node) => node.address()))
  const ctl = (...words: string[]) => desk.run('ctl', ...words, '-c', `${names[0]}.yaml`)
  return {
    desk,
    nodes,
    ctl,
    async status(node) {
      const { stdout, stderr } = await desk.run('ctl', 'status', '--json', '-c', `${node}.yaml`)
      assert.ok(stdout, stderr)
      return JSON.parse(stdout) as NodeStatus
    },
    async end() {
      for (const { child } of nodes) child.kill('SIGTERM')
      for (const { ended } of nodes) assert.equal((await ended).code, 0)
    },
  }
}

export const control = ({ actors }: NodeStatus) => actors['control']?.detail ?? {}
export const connected = (fleet: Fleet, node: string) =>
  until(`${node} is connected`, async () =>
    control(await fleet.status(node))['connected'] === true ? true : undefined,
  )
export const warnOf = async (fleet: Fleet, node: string): Promise<number> => {
  const { stdout } = await fleet.desk.run('ctl', 'effective', '--json', '-c', `${node}.yaml`)
  return (JSON.parse(stdout) as { config: { sampling: { tiers: { warn: number } } } }).config.sampling.tiers
    .warn
}
export const runsWith = (fleet: Fleet, node: string, warn: number) =>
  until(`${node} keeps ${warn} of warn`, async () =>
    (await warnOf(fleet, node)) === warn ? true : undefined,
  )

/** A server that is gone after the tests. */
export async function ownServer(config = '', jetstream = true): Promise<OwnNats> {
  const own = await startOwnNats({ config, jetstream })
  cleanLater(() => own.remove())
  return own
}
