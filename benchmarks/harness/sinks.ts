// Starts the process of the sinks, and asks it things.
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Limit } from '../sinks/limit.js'
import type { SinksAnswer, SinksOrder } from '../sinks/messages.js'

type Answer<T extends SinksAnswer['type']> = Extract<SinksAnswer, { type: T }>

export interface Sinks {
  readonly es: string
  readonly loki: string
  readonly pid: number
  stats(): Promise<Answer<'stats'>>
  reset(): Promise<void>
  limit(limit: Limit | undefined): Promise<void>
  /** `mark`: a text that every record is to have. */
  watch(records: number, mark?: string): Promise<void>
  take(): Promise<Answer<'arrivals'>>
  close(): Promise<void>
}

const FILE = fileURLToPath(new URL('../sinks/process.js', import.meta.url))

export async function startSinks(): Promise<Sinks> {
  const child = fork(FILE, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], serialization: 'advanced' })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const waiting = new Map<number, (answer: SinksAnswer) => void>()
  child.on('message', (message: SinksAnswer & { id: number }) => {
    waiting.get(message.id)?.(message)
    waiting.delete(message.id)
  })
  let nextId = 0
  /** The sinks speak first: their number is 0. */
  const answerTo = (id: number): Promise<SinksAnswer> =>
    new Promise((resolve, reject) => {
      waiting.set(id, resolve)
      void ended.then(() => reject(new Error('the process of the sinks has ended')))
    })
  const listening = (await answerTo(nextId++)) as Answer<'listening'>

  async function ask<T extends SinksAnswer['type']>(order: SinksOrder): Promise<Answer<T>> {
    const id = nextId++
    const answer = answerTo(id)
    child.send({ id, ...order })
    return (await answer) as Answer<T>
  }

  return {
    es: listening.es,
    loki: listening.loki,
    pid: child.pid ?? 0,
    stats: () => ask({ type: 'stats' }),
    reset: async () => void (await ask({ type: 'reset' })),
    limit: async (limit) => void (await ask({ type: 'limit', ...(limit === undefined ? {} : { limit }) })),
    watch: async (records, mark) =>
      void (await ask({ type: 'watch', records, ...(mark === undefined ? {} : { mark }) })),
    take: () => ask({ type: 'take' }),
    async close() {
      if (child.connected) child.disconnect()
      await ended
    },
  }
}
