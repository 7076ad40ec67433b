// A nats-server of a benchmark's own, and what it costs: CPU, memory, messages and bytes.
import { type OwnNats, freePort, startOwnNats } from '../../test/real/servers/own-nats.js'
import type { Kit } from './kit.js'
import { type Usage, usageOf } from './process.js'

export interface MeasuredNats extends Pick<OwnNats, 'url' | 'start' | 'kill'> {
  /** Since its last start. */
  usage(): Usage
  flow(): Promise<NatsFlow>
}

/** Since its last start, of all clients. */
export interface NatsFlow {
  readonly inBytes: number
  readonly outBytes: number
  readonly inMessages: number
  readonly outMessages: number
}

/** With JetStream; gone with the benchmark. */
export async function startMeasuredNats(kit: Kit): Promise<MeasuredNats> {
  const monitor = await freePort()
  const own = await startOwnNats({ config: `http: "127.0.0.1:${monitor}"` })
  kit.later(() => own.remove())
  return {
    url: own.url,
    start: () => own.start(),
    kill: () => own.kill(),
    usage() {
      const usage = usageOf(own.pid() ?? 0)
      if (usage === undefined) throw new Error('nats-server has ended')
      return usage
    },
    async flow() {
      // A connection that is kept would be closed under the next question.
      const answer = await fetch(`http://127.0.0.1:${monitor}/varz`, { headers: { connection: 'close' } })
      const said = (await answer.json()) as Record<string, number>
      const {
        in_bytes: inBytes = 0,
        out_bytes: outBytes = 0,
        in_msgs: inMessages = 0,
        out_msgs: outMessages = 0,
      } = said
      return { inBytes, outBytes, inMessages, outMessages }
    },
  }
}
