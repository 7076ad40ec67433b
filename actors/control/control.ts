// The actor `control`: the node's connection to NATS, its settings from the cluster, its traffic counts and its verbs.
import type { NatsConnection } from 'nats'
import type { NatsOptions } from '../../protocol/config/nats.js'
import { saidOf } from '../../protocol/errors.js'
import { controlSubject } from '../../protocol/subjects.js'
import type { Actor, ActorContext } from '../../runtime/actor.js'
import { sleep } from '../../runtime/clock.js'
import { openConfigBucket } from '../../runtime/nats/config-bucket.js'
import type { Link, LinkState } from '../../runtime/nats/link.js'
import { openStreamsFor } from '../../runtime/nats/open-streams.js'
import { readVersion } from '../../runtime/version.js'
import { linkToNats } from '../nats-link.js'
import { createStatusLine } from '../status-line.js'
import { createControlService } from './service.js'
import { createSettings } from './settings.js'
import { createTrafficExchange } from './traffic-exchange.js'
import { trafficWiring } from './traffic-wiring.js'

export interface ControlPlan {
  readonly nats: NatsOptions
  /** There is an actor `traffic` that wants to know what the other nodes see. */
  readonly hasTraffic: boolean
}

const TICK_MS = 1000
/** A stream that differs or an account without JetStream takes an operator. */
const FOLLOW_AGAIN_MS = 10_000

/** Writes to `supervisor`: ctl, ctl_cancel, settings_offered, status; to `traffic`: traffic_peers. */
export function controlActor(context: ActorContext, { nats, hasTraffic }: ControlPlan): Actor {
  const { clock, log, metrics, node } = context
  const refused = (subject: string, reason: string) =>
    metrics.add('nats_refused_total', 1, { subject, reason })
  let link: Link | undefined
  let state: LinkState = { up: false, reason: 'connecting to NATS' }
  /** JetStream's part does not work although the connection does. */
  let impaired: string | undefined
  /** A permission that the account does not have; what was refused stays refused for as long as the connection lives. */
  let lacking: string | undefined
  const tellStatus = createStatusLine(context)
  const timers: (() => void)[] = []

  const settings = createSettings(context)
  const exchange = createTrafficExchange({
    clock,
    random: () => context.random(),
    peers(services) {
      if (hasTraffic) context.send('traffic', { type: 'traffic_peers', services })
    },
    refused: (reason) => refused('traffic', reason),
  })
  const service = createControlService({
    node,
    version: readVersion(),
    clock,
    ask: (id, envelope, known) =>
      context.send('supervisor', { type: 'ctl', id, envelope, ...(known === undefined ? {} : { known }) }),
    cancel: (id) => context.send('supervisor', { type: 'ctl_cancel', id }),
    refused: (reason) => refused('ctl', reason),
  })

  async function setUp(connection: NatsConnection): Promise<void> {
    lacking = undefined
    await service.attach(connection)
    exchange.attach(trafficWiring(connection, node, exchange))
    metrics.add('nats_connects_total', 1)
    void followAlways(connection)
  }

  /** The counts and the verbs need no JetStream, so what fails here fails alone, and is tried again. */
  async function followAlways(connection: NatsConnection): Promise<void> {
    const ended = new AbortController()
    void connection.closed().then(() => ended.abort())
    while (!ended.signal.aborted) {
      try {
        await follow(connection)
      } catch (error) {
        if (connection.isClosed()) return
        impaired = saidOf(error)
        log.error({ event: 'nats', reason: impaired }, 'the settings of the cluster can not be followed')
        report()
      }
      await sleep(clock, FOLLOW_AGAIN_MS, ended.signal)
    }
  }

  async function follow(connection: NatsConnection): Promise<void> {
    await openStreamsFor(['config'], connection, nats, (what) => log.info({ event: 'nats' }, what))
    impaired = undefined
    report()
    await settings.follow(await openConfigBucket(connection))
  }

  function changed(next: LinkState): void {
    state = next
    metrics.set('nats_connected', next.up ? 1 : 0)
    if (next.up) log.info({ event: 'nats', server: next.server }, 'connected to NATS')
    else {
      log.error({ event: 'nats', reason: next.reason }, 'no connection to NATS; the node goes on alone')
      service.detach()
      exchange.detach()
    }
    report()
  }

  function report(): void {
    const { summing, nodes } = exchange.status()
    const { revision, key, refused: refusal } = settings.status()
    metrics.set('cluster_nodes', nodes)
    const reason = state.up
      ? (lacking ?? impaired ?? refusal)
      : `${state.reason}; sampling follows this node's own counts, settings stay as they are`
    const detail = {
      connected: state.up,
      server: state.up ? state.server : '',
      settingsRevision: revision,
      settingsKey: key,
      settingsRefused: refusal ?? '',
      summing,
      nodes,
    }
    tellStatus(detail, reason)
  }

  return {
    start() {
      settings.start()
      report()
      link = linkToNats(context, nats, {
        name: `millrace ${node.clusterId}/${node.id}`,
        setUp,
        changed,
        complaint(error) {
          if (/permissions violation/i.test(error.message)) {
            lacking = `${error.message}; grant it to the account, ${controlSubject(node.id, '*')} is what ctl uses`
            report()
          }
        },
      })
      timers.push(
        clock.every(TICK_MS, () => {
          exchange.tick()
          service.tick()
          settings.tick()
          report()
        }),
      )
    },
    on: {
      traffic_local: ({ services }) => exchange.local(services),
      ctl_answer: ({ id, answer }) => service.answer(id, answer),
      ctl_lines: ({ id, ndjson }) => service.lines(id, ndjson),
      settings_answered({ offer, refused: why }) {
        settings.answered(offer, why)
        report()
      },
    },
    async stop() {
      for (const cancel of timers) cancel()
      await link?.stop()
    },
  }
}
