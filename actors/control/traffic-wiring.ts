// Ties the exchange of traffic counts to its subjects on a connection.
import type { NatsConnection } from 'nats'
import {
  nameOfToken,
  trafficAskAll,
  trafficAskSubject,
  trafficAskSum,
  trafficOfAll,
  trafficSubject,
  trafficSumSubject,
} from '../../protocol/subjects.js'
import type { TrafficExchange, TrafficPort } from './traffic-exchange.js'

/** Subscribes to what every node hears, and gives the way out; both end with the connection. */
export function trafficWiring(
  connection: NatsConnection,
  { id, clusterId }: { readonly id: string; readonly clusterId: string },
  exchange: Pick<TrafficExchange, 'onSum' | 'onAsked' | 'onCounts'>,
): TrafficPort {
  connection.subscribe(trafficSumSubject(clusterId), {
    callback: (error, message) => {
      if (error === null) exchange.onSum(message.data)
    },
  })
  for (const subject of [trafficAskSubject(clusterId, id), trafficAskAll(clusterId)])
    connection.subscribe(subject, {
      callback: (error) => {
        if (error === null) exchange.onAsked('node')
      },
    })
  /** Between the end of a connection and the word of it there is a moment, in which the library throws. */
  const open = () => !connection.isClosed() && !connection.isDraining()
  const publish = (subject: string, bytes?: Uint8Array) => {
    if (open()) connection.publish(subject, bytes)
  }
  return {
    counts: (bytes) => publish(trafficSubject(clusterId, id), bytes),
    sum: (bytes) => publish(trafficSumSubject(clusterId), bytes),
    askNode: (token) => publish(trafficAskSubject(clusterId, nameOfToken(token) ?? token)),
    askAll: () => publish(trafficAskAll(clusterId)),
    askSum: () => publish(trafficAskSum(clusterId)),
    listen() {
      if (!open()) return () => undefined
      const counts = connection.subscribe(trafficOfAll(clusterId), {
        callback: (error, message) => {
          if (error === null) exchange.onCounts(message.subject.split('.').at(-1) ?? '', message.data)
        },
      })
      const asks = connection.subscribe(trafficAskSum(clusterId), {
        callback: (error) => {
          if (error === null) exchange.onAsked('sum')
        },
      })
      return () => {
        if (!open()) return
        counts.unsubscribe()
        asks.unsubscribe()
      }
    },
  }
}
